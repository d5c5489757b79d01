// Where a preview's secret comes from, and how a cookie leaves its header.
#include "ngx_module/core/preview.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace bluegreen::core;

namespace {

PreviewSource source(std::string_view text) {
  PreviewSource out;
  REQUIRE(parse_preview_source(text, out) == nullptr);
  return out;
}

// Cuts every pair of that name; their values, one a line, then the header that is left.
std::string cut(std::string header, std::string_view name) {
  std::string values;
  CookiePair pair;
  std::size_t size = header.size();
  while (find_cookie({header.data(), size}, name, 0, pair)) {
    values += std::string(pair.value) + "\n";
    size = cut_cookie(header.data(), size, pair);
  }
  CHECK(header.substr(size) == std::string(header.size() - size, '\0'));
  return values + header.substr(0, size);
}

}  // namespace

TEST_CASE("parse_preview_source: a header or a cookie, nothing else") {
  CHECK(source("$http_x_preview").kind == PreviewSource::Kind::kHeader);
  CHECK(source("$HTTP_X_Preview").text() == "x_preview");
  CHECK(source("$cookie_Preview").kind == PreviewSource::Kind::kCookie);
  CHECK(source("$cookie_Preview").text() == "preview");
  for (const char* text :
       {"", "$", "$http", "$http_", "$cookie_", "http_x", "$arg_preview", "$remote_addr",
        "$http_a-b", "$http_x$http_y", "${http_x}", "$http_x "}) {
    PreviewSource untouched;
    INFO(text);
    CHECK(parse_preview_source(text, untouched) != nullptr);
    CHECK(untouched.size == 0);
  }
  PreviewSource out;
  CHECK(parse_preview_source("$http_" + std::string(63, 'x'), out) == nullptr);
  CHECK(parse_preview_source("$http_" + std::string(64, 'x'), out) != nullptr);
}

TEST_CASE("is_header: without case, with '-' for '_'") {
  const PreviewSource name = source("$http_x_bluegreen_preview");
  CHECK(is_header(name, "X-Bluegreen-Preview"));
  CHECK(is_header(name, "x_bluegreen-PREVIEW"));
  CHECK_FALSE(is_header(name, "X-Bluegreen-Previews"));
  CHECK_FALSE(is_header(name, "X-Bluegreen-Previe"));
  CHECK_FALSE(is_header(name, ""));
}

TEST_CASE("find_cookie and cut_cookie: the pair goes, its neighbours stay as they were") {
  CHECK(cut("preview=abc", "preview") == "abc\n");
  CHECK(cut("preview=abc; uid=7", "preview") == "abc\nuid=7");
  CHECK(cut("uid=7; preview=abc", "preview") == "abc\nuid=7");
  CHECK(cut("a=1; preview=abc; b=2", "preview") == "abc\na=1; b=2");
  CHECK(cut("a=1;preview=abc;b=2", "preview") == "abc\na=1;b=2");
  CHECK(cut("a=1; Preview=x; b=2; PREVIEW=y", "preview") == "x\ny\na=1; b=2");
  CHECK(cut("preview = abc ;a=1", "preview") == "abc\na=1");
  CHECK(cut("preview=a=b; c=d", "preview") == "a=b\nc=d");
  CHECK(cut("preview=", "preview") == "\n");
  CHECK(cut(";;; preview=x;;", "preview") == "x\n");
  CHECK(cut("a=1, preview=x; b=2", "preview") == "x\na=1, b=2");  // NGINX finds it there, too
  CHECK(cut("a=1,preview=x", "preview") == "x\na=1");
}

TEST_CASE("find_cookie: what only looks like the name is left alone") {
  for (const std::string header : {"", "preview", "previews=abc", "xpreview=abc", "a=preview=abc",
                                   "a=1; b=2", "=preview", "; ;", "a=b preview=c"}) {
    INFO(header);
    CHECK(cut(header, "preview") == header);
  }
}
