// See the header.
#include "controller/compose/env_text.hpp"

namespace bluegreen {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// The value when the line sets `name`.
std::optional<std::string> value_on_line(std::string_view line, std::string_view name) {
  line = trimmed(line);
  if (line.starts_with("export ")) {
    line = trimmed(line.substr(7));
  }
  if (!line.starts_with(name)) {
    return std::nullopt;
  }
  line = trimmed(line.substr(name.size()));
  if (line.empty() || (line.front() != '=' && line.front() != ':')) {
    return std::nullopt;
  }
  line = trimmed(line.substr(1));
  if (line.size() >= 2 && (line.front() == '"' || line.front() == '\'') &&
      line.find(line.front(), 1) != std::string_view::npos) {
    return std::string(line.substr(1, line.find(line.front(), 1) - 1));
  }
  const std::size_t comment = line.find(" #");
  return std::string(trimmed(line.substr(0, comment)));
}

// Calls `visit(line with its newline)` for each line.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
    visit(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::string_view without_newline(std::string_view line) {
  return line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

std::optional<std::string> env_value(const std::string& text, std::string_view name) {
  std::optional<std::string> out;
  for_each_line(text, [&out, name](std::string_view line) {
    if (auto value = value_on_line(without_newline(line), name)) {
      out = std::move(value);
    }
  });
  return out;
}

std::string with_env_value(const std::string& text, std::string_view name,
                           const std::optional<std::string>& value) {
  std::string out;
  std::string wanted;
  if (value) {
    wanted = std::string(name) + "=" + *value + "\n";
  }
  bool written = !value;
  for_each_line(text, [&](std::string_view line) {
    if (!value_on_line(without_newline(line), name)) {
      out += line;
    } else if (!written) {
      out += wanted;
      written = true;
    }
  });
  if (!written) {
    out += out.empty() || out.ends_with('\n') ? "" : "\n";
    out += wanted;
  }
  return out;
}

}  // namespace bluegreen
