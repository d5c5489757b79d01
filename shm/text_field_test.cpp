// Text fields: never read past their end, never written in part.
#include "shm/text_field.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen::shm;

TEST_CASE("text_of ends at the field's end when there is no NUL") {
  char field[4] = {'a', 'b', 'c', 'd'};
  CHECK(text_of(field) == "abcd");
  field[2] = '\0';
  CHECK(text_of(field) == "ab");
}

TEST_CASE("set_text refuses what does not fit with its NUL, and leaves the field alone") {
  char field[4] = {'o', 'l', 'd', '\0'};
  CHECK_FALSE(set_text(field, "four"));
  CHECK_FALSE(set_text(field, std::string_view("a\0b", 3)));
  CHECK(text_of(field) == "old");
  CHECK(set_text(field, "n"));
  CHECK(std::string(field, 4) == std::string("n\0\0\0", 4));
  CHECK(set_text(field, "abc"));
  CHECK(text_of(field) == "abc");
}

TEST_CASE("is_app_name allows what is safe in a file name, a label and an argument") {
  CHECK(is_app_name("a"));
  CHECK(is_app_name("My_app-2.x"));
  CHECK(is_app_name(std::string(63, 'a')));
  CHECK_FALSE(is_app_name(std::string(64, 'a')));
  for (const char* bad : {"", "-a", ".", "..", ".a", "a/b", "a b", "a\n", "\xC3\xA9", "a\""}) {
    CHECK_FALSE(is_app_name(bad));
  }
}
