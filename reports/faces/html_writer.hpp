// Writes HTML in which nothing untrusted can become markup: text and attribute values are escaped where they
// go in, and only trusted() takes markup as it is.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

// For text nodes and double-quoted attribute values. Control characters, broken UTF-8 and characters that
// change the direction of text are shown as escapes. Good for XML 1.0 too.
std::string html_escape(std::string_view untrusted);

// A JSON text made safe inside <script type="application/json">: "<" can only stand in strings there, and
// becomes its \u escape, so that neither "</script" nor "<!--" can end or bend the element. Blanks between
// tokens go.
std::string json_for_script(std::string_view json);

class HtmlWriter {
 public:
  struct Attribute {
    std::string_view name;
    std::string value;
  };
  using Attributes = std::initializer_list<Attribute>;

  HtmlWriter& open(std::string_view tag, Attributes attributes = {});
  HtmlWriter& close();  // the innermost open element
  HtmlWriter& text(std::string_view untrusted);
  HtmlWriter& leaf(std::string_view tag, std::string_view untrusted, Attributes attributes = {});
  HtmlWriter& empty(std::string_view tag, Attributes attributes = {});  // an element that has no end tag
  HtmlWriter& trusted(std::string_view markup);

  std::string take() &&;  // closes whatever is still open

 private:
  std::string markup_;
  std::vector<std::string_view> open_;  // tags are literals
};

}  // namespace mlc
