// A folder that a test has to itself and that goes with it. Unit tests of this folder only.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace bluegreen {

struct TestFolder {
  TestFolder() {
    char name[] = "/tmp/bgctl-regions-XXXXXX";
    if (::mkdtemp(name) == nullptr) {
      throw std::runtime_error("no temporary folder");
    }
    path = name;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace bluegreen
