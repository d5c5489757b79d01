// The form of the status document: see status_format.hpp.
#include "ngx_module/core/status_format.hpp"

#include <catch2/catch.hpp>

using namespace bluegreen::core;

TEST_CASE("Format is taken by its name alone") {
  StatusFormat format{};
  CHECK((parse_status_format("json", format) && format == StatusFormat::kJson));
  CHECK((parse_status_format("prometheus", format) && format == StatusFormat::kPrometheus));
  CHECK((parse_status_format("openmetrics", format) && format == StatusFormat::kOpenMetrics));
  CHECK((parse_status_format("html", format) && format == StatusFormat::kHtml));
  for (const char* name : {"", "JSON", "yaml", "jsonx", "json "}) {
    CHECK_FALSE(parse_status_format(name, format));
  }
}

TEST_CASE("Accept header gets what Prometheus and people ask for") {
  CHECK(negotiate_status_format("") == StatusFormat::kJson);
  CHECK(negotiate_status_format("*/*") == StatusFormat::kJson);
  CHECK(negotiate_status_format(
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8") ==
        StatusFormat::kHtml);
  CHECK(negotiate_status_format("text/plain") == StatusFormat::kPrometheus);
  CHECK(negotiate_status_format("TEXT/Plain;Version=0.0.4") == StatusFormat::kPrometheus);
  CHECK(negotiate_status_format(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
            "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1") ==
        StatusFormat::kOpenMetrics);
  CHECK(negotiate_status_format("application/vnd.google.protobuf;q=0.6,"
                                "application/openmetrics-text;version=0.0.1;q=0.5, "
                                "text/plain;version=0.0.4;q=0.4,*/*;q=0.2") ==
        StatusFormat::kPrometheus);
}

TEST_CASE("Accept header is weighed by q, and by order between equals") {
  CHECK(negotiate_status_format("text/plain;q=0.4, application/json;q=0.45") ==
        StatusFormat::kJson);
  CHECK(negotiate_status_format("text/plain;q=0.5, */*;q=0.5") == StatusFormat::kPrometheus);
  CHECK(negotiate_status_format("text/plain;q=0") == StatusFormat::kJson);
  CHECK(negotiate_status_format("text/plain;q=1.000, application/json") ==
        StatusFormat::kPrometheus);
}

TEST_CASE("Accept header that is no list of media ranges gets JSON") {
  for (const char* accept :
       {",,,", ";", "q=1", "text/plain;q=x", "text/plain;q=0.00001", "=;=,;"}) {
    CHECK(negotiate_status_format(accept) == StatusFormat::kJson);
  }
}

TEST_CASE("Parameters of the directive are a format and a time, each once") {
  StatusSettings settings;
  CHECK(parse_status_parameter("prometheus", settings) == nullptr);
  CHECK(parse_status_parameter("cache=250ms", settings) == nullptr);
  CHECK(settings.format == StatusFormat::kPrometheus);
  CHECK(settings.keep_ms == 250);
  CHECK(settings.seen == 3);
  CHECK(parse_status_parameter("json", settings) != nullptr);
  CHECK(parse_status_parameter("cache=0", settings) != nullptr);
  for (const char* text : {"cache=", "cache=x", "cache=61s", "yaml", "", "cache"}) {
    StatusSettings fresh;
    CHECK(parse_status_parameter(text, fresh) != nullptr);
  }
}
