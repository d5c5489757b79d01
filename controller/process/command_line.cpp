// See the header.
#include "controller/process/command_line.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace bluegreen {
namespace {

bool is_executable_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

constexpr std::string_view kImage = "{image}";

}  // namespace

std::string substituted(std::string_view text, const Substitutions& values) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with(kImage)) {
      out += values.image;
      text.remove_prefix(kImage.size());
    } else if (text.starts_with("{color}")) {
      out += shm::name_of(values.color);
      text.remove_prefix(7);
    } else if (text.starts_with("{port}")) {
      out += std::to_string(values.port);
      text.remove_prefix(6);
    } else {
      out.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return out;
}

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return is_executable_file(name) ? std::optional(name) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::string_view left = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!left.empty()) {
    const std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(left.size(), folder.size() + 1));
    const std::string file = fmt::format("{}/{}", folder, name);
    if (!folder.empty() && is_executable_file(file)) {
      return file;
    }
  }
  return std::nullopt;
}

Result<void> check_image_word(const std::string& image) {
  if (image.empty() || image.size() >= shm::kImageSize) {
    return fail(ExitCode::kPull, fmt::format("image has {} characters, expected 1 to {}",
                                             image.size(), shm::kImageSize - 1));
  }
  for (const char c : image) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7F) {
      return fail(ExitCode::kPull,
                  "image '" + image + "' has a space or a control character, expected a word");
    }
  }
  if (("/" + image + "/").find("/../") != std::string::npos) {
    return fail(ExitCode::kPull, "image '" + image + "' has '..' in it, expected a word");
  }
  return {};
}

std::string file_of_image(const std::vector<std::string>& command, const Substitutions& values) {
  for (const std::string& word : command) {
    const bool is_program = &word == &command.front();
    if (word.find(kImage) != std::string::npos && (is_program || word.front() == '/')) {
      return substituted(word, values);
    }
  }
  return {};
}

}  // namespace bluegreen
