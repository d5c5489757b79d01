// The last lines of a text, at its edges.
#include "controller/host/log_file.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Tail has the last lines and no final newline") {
  CHECK(text_tail("a\nb\nc\n", 2) == "b\nc");
  CHECK(text_tail("a\n\nb\n", 2) == "\nb");
  CHECK(text_tail("a\nb", 9) == "a\nb");
  CHECK(text_tail("a\nb\n\n\n", 1) == "b");
  CHECK(text_tail("", 3).empty());
  CHECK(text_tail("\n", 3).empty());
  CHECK(text_tail("a\nb", 0).empty());
}

TEST_CASE("Tail of one endless line is bounded") {
  CHECK(text_tail(std::string(100'000, 'x'), 5).size() == 16384);
}

TEST_CASE("Tail of a file that is not there is empty") {
  CHECK(file_tail("/no/such/log", 5).empty());
}

}  // namespace
}  // namespace bluegreen
