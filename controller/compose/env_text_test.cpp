// One variable of an environment file is changed; everything else stays as it was.
#include "controller/compose/env_text.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Value of a variable is read as Compose reads it") {
  CHECK(env_value("A=1\nB=2\n", "B") == "2");
  CHECK(env_value("A=1\nA=2", "A") == "2");
  CHECK(env_value("export A = \"x y\" # why\r\n", "A") == "x y");
  CHECK(env_value("A='x # y'\n", "A") == "x # y");
  CHECK(env_value("A=x # why\n", "A") == "x");
  CHECK(env_value("A=\n", "A") == "");
  CHECK_FALSE(env_value("# A=1\nAB=2\n", "A"));
  CHECK_FALSE(env_value("", "A"));
}

TEST_CASE("Variable is set in its own line, once, or at the end") {
  CHECK(with_env_value("# a\nA=1\nB=2\n", "A", "9") == "# a\nA=9\nB=2\n");
  CHECK(with_env_value("A=1\nB=2\nA=3\n", "A", "9") == "A=9\nB=2\n");
  CHECK(with_env_value("B=2", "A", "9") == "B=2\nA=9\n");
  CHECK(with_env_value("", "A", "9") == "A=9\n");
}

TEST_CASE("Variable is taken out and its neighbours stay") {
  CHECK(with_env_value("# a\nA=1\n\nB=2", "A", std::nullopt) == "# a\n\nB=2");
  CHECK(with_env_value("AB=1\n", "A", std::nullopt) == "AB=1\n");
}

}  // namespace
}  // namespace bluegreen
