#include <algorithm>
#include <vector>

#include "bench/cli/reference/faces.hpp"

namespace mlc {

namespace {

// A leading dot or quote would be a request, and a bare hyphen may be set as a dash, which cannot be copied
// into a shell.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\r')
      out += ' ';
    else if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '|')
      out += "|\\:";  // a long list of words may be broken here
    else if ((c == '.' || c == '\'') && out.empty())
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

std::string page_of(const CommandOf& command) {
  return command.name.empty() ? "mlc-bench" : "mlc-bench-" + command.name;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string shown_value(const OptionOf& option) {
  return option.value.shown.empty() ? "VALUE" : option.value.shown;
}

std::string head_of(const OptionOf& option) {
  if (option.names.empty()) return italic(option.positional);
  std::string head;
  for (const auto& name : option.names)
    head += (head.empty() ? "" : ", ") + bold(name);
  return option.flag ? head : head + " " + italic(shown_value(option));
}

void append_options(std::string& page, const std::vector<OptionOf>& options) {
  std::vector<std::string> groups;
  for (const auto& option : options)
    if (std::ranges::find(groups, option.group) == groups.end()) groups.push_back(option.group);
  for (const auto& group : groups) {
    if (groups.size() > 1) page += ".SS \"" + roff(group) + "\"\n";
    for (const auto& option : options)
      if (option.group == group) page += ".TP\n" + head_of(option) + "\n" + roff(option.about) + "\n";
  }
}

std::string synopsis(const std::string& before, const CommandOf& command) {
  std::string line = bold(before + (command.name.empty() ? "" : " " + command.name));
  if (!command.options.empty()) line += " [" + italic("option") + " ...]";
  for (const auto& positional : command.positionals) {
    const std::string name = italic(positional.positional) + (positional.repeated ? " ..." : "");
    line += positional.required ? " " + name : " [" + name + "]";
  }
  if (!command.commands.empty()) line += " " + italic("command") + " ...";
  return line;
}

// A command below a command: what it takes, or, where that is what a command of the program takes, that one's
// page.
void append_nested(std::string& page, const CommandOf& program, const CommandOf& command,
                   const CommandOf& sub) {
  page += ".SS \"" + roff(sub.name) + "\"\n" + synopsis("mlc-bench " + command.name, sub) + "\n.PP\n" +
          roff(sub.about) + "\n";
  const auto same = std::ranges::find_if(program.commands, [&](const CommandOf& each) {
    return each.name == sub.name && each.options == sub.options && each.positionals == sub.positionals;
  });
  if (same != program.commands.end())
    page += ".PP\nThe options are those of\n.BR " + roff(page_of(*same)) + " (1).\n";
  else
    for (const auto* some : {&sub.positionals, &sub.options})
      for (const auto& option : *some)
        page += ".TP\n" + head_of(option) + "\n" + roff(option.about) + "\n";
}

void append_see_also(std::string& page, const CommandOf& program, const CommandOf& command) {
  std::vector<std::string> pages{page_of(program)};
  for (const auto& each : program.commands)
    pages.push_back(page_of(each));
  std::erase(pages, page_of(command));
  page += ".SH SEE ALSO\n";
  for (std::size_t i = 0; i < pages.size(); ++i)
    page += ".BR " + roff(pages[i]) + " (1)" + (i + 1 < pages.size() ? "," : "") + "\n";
}

}  // namespace

std::string man_page(const CommandOf& program, const CommandOf& command, const std::string& version) {
  const bool whole = command.name.empty();
  std::string page = ".TH \"" + roff(page_of(command)) + "\" 1 \"\" \"mlc\\-bench " + roff(version) +
                     "\" \"User Commands\"\n";
  page += ".ad l\n";  // a list of words without a blank cannot be adjusted
  page += ".SH NAME\n" + roff(page_of(command)) + " \\- " + roff(command.about) + "\n";
  page += ".SH SYNOPSIS\n" + synopsis("mlc-bench", command) + "\n";
  page += ".SH DESCRIPTION\n" + roff(command.about) + "\n";
  if (!command.notes.empty()) page += ".PP\n" + roff(command.notes) + "\n";
  if (!command.positionals.empty()) {
    page += ".SH ARGUMENTS\n";
    append_options(page, command.positionals);
  }
  if (!command.options.empty()) {
    page += ".SH OPTIONS\n";
    append_options(page, command.options);
  }
  if (!command.commands.empty()) page += ".SH COMMANDS\n";
  for (const auto& sub : command.commands) {
    if (whole)
      page += ".TP\n.BR " + roff(page_of(sub)) + " (1)\n" + roff(sub.about) + "\n";
    else
      append_nested(page, program, command, sub);
  }
  if (!whole && !program.notes.empty()) page += ".SH EXIT STATUS\n" + roff(program.notes) + "\n";
  append_see_also(page, program, command);
  return page;
}

}  // namespace mlc
