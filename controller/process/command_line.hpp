// The configured command with {image}, {color} and {port} put in: one argument stays one argument,
// there is no shell. Pure but for `find_program`. Called by ProcessRuntime.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/ports/result.hpp"
#include "shm/limits.hpp"

namespace bluegreen {

struct Substitutions {
  std::string image;
  shm::Color color;
  std::uint16_t port;
};

std::string substituted(std::string_view text, const Substitutions& values);

// Where argv[0] is: as it stands when it has a slash, else in PATH. Empty when it is nowhere or is
// no executable file.
std::optional<std::string> find_program(const std::string& name);

// An image is a word that may become part of a path, so it must not lead out of its folder, and it
// has to fit into the control region. kPull with what is wrong.
Result<void> check_image_word(const std::string& image);

// The file that only this image brings: the program, or, when an interpreter is the program, the
// first absolute path among the arguments that has {image} in it. Empty: there is none to check.
std::string file_of_image(const std::vector<std::string>& command, const Substitutions& values);

}  // namespace bluegreen
