#include "reports/faces/html_writer.hpp"

#include <utility>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

void append_escaped(std::string& markup, std::string_view untrusted) {
  const auto plain = [](char c) {
    return c >= 0x20 && c != 0x7f && c != '<' && c != '>' && c != '&' && c != '"' && c != '\'';
  };
  std::size_t safe = 0;
  while (safe < untrusted.size() && plain(untrusted[safe]))
    ++safe;
  markup += untrusted.substr(0, safe);
  if (safe == untrusted.size()) return;
  const std::string shown = printable(untrusted.substr(safe), std::string_view::npos);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const char c = shown[i];
    // U+FFFE and U+FFFF are characters neither to HTML nor to XML 1.0 (section 2.2).
    if (c == '\xef' &&
        (shown.compare(i, 3, "\xef\xbf\xbe") == 0 || shown.compare(i, 3, "\xef\xbf\xbf") == 0)) {
      markup += "\\uffff";
      i += 2;
      continue;
    }
    switch (c) {
      case '<':
        markup += "&lt;";
        break;
      case '>':
        markup += "&gt;";
        break;
      case '&':
        markup += "&amp;";
        break;
      case '"':
        markup += "&quot;";
        break;
      case '\'':
        markup += "&#39;";
        break;
      default:
        markup += c;
    }
  }
}

}  // namespace

std::string html_escape(std::string_view untrusted) {
  std::string markup;
  append_escaped(markup, untrusted);
  return markup;
}

std::string json_for_script(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
    if (c == '"') in_string = !in_string;
    if (c == '<') {
      safe += "\\u003c";
    } else if (c == '\x7f') {
      safe += "\\u007f";
    } else {
      safe += c;
      if (in_string && c == '\\' && i + 1 < json.size()) safe += json[++i];
    }
  }
  return safe;
}

HtmlWriter& HtmlWriter::empty(std::string_view tag, Attributes attributes) {
  markup_ += '<';
  markup_ += tag;
  for (const auto& [name, value] : attributes) {
    if (name.empty()) continue;  // lets a caller leave an attribute out in place
    markup_ += ' ';
    markup_ += name;
    markup_ += "=\"";
    append_escaped(markup_, value);
    markup_ += '"';
  }
  markup_ += '>';
  return *this;
}

HtmlWriter& HtmlWriter::open(std::string_view tag, Attributes attributes) {
  open_.push_back(tag);
  return empty(tag, attributes);
}

HtmlWriter& HtmlWriter::close() {
  if (open_.empty()) return *this;
  markup_ += "</";
  markup_ += open_.back();
  markup_ += '>';
  // A line a row keeps the page readable as source, and the difference of two pages too.
  if (open_.back() != "td" && open_.back() != "th" && open_.back() != "span" && open_.back() != "code")
    markup_ += '\n';
  open_.pop_back();
  return *this;
}

HtmlWriter& HtmlWriter::text(std::string_view untrusted) {
  append_escaped(markup_, untrusted);
  return *this;
}

HtmlWriter& HtmlWriter::leaf(std::string_view tag, std::string_view untrusted, Attributes attributes) {
  return open(tag, attributes).text(untrusted).close();
}

HtmlWriter& HtmlWriter::trusted(std::string_view markup) {
  markup_ += markup;
  return *this;
}

std::string HtmlWriter::take() && {
  while (!open_.empty())
    close();
  return std::move(markup_);
}

}  // namespace mlc
