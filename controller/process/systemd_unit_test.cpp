// The unit's text: what systemd would expand or split must reach the program as it is.
#include "controller/process/systemd_unit.hpp"

#include <catch2/catch.hpp>

namespace bluegreen {
namespace {

TEST_CASE("Word of a unit's command is quoted against every expansion of systemd") {
  CHECK(quoted_for_unit("plain", true) == "\"plain\"");
  CHECK(quoted_for_unit("a b\"c\\d", true) == "\"a b\\\"c\\\\d\"");
  CHECK(quoted_for_unit("100%$HOME", true) == "\"100%%$$HOME\"");
  CHECK(quoted_for_unit("100%$HOME", false) == "\"100%%$HOME\"");
  CHECK(quoted_for_unit("a\nExecStartPre=evil", true) == "\"a\\nExecStartPre=evil\"");
}

TEST_CASE("Unit has the program, its environment, its log and its grace") {
  LaunchRequest request;
  request.place = {"tool-green", "/r/tool-green.json", "/r/tool-green.log"};
  request.argv = {"/srv/v2/serve", "--port", "8102"};
  request.environment = {"MODE=fast lane"};
  request.directory = "/srv";
  request.stop_timeout = std::chrono::milliseconds(2500);
  const std::string text = unit_text(request);
  for (const char* line :
       {"\nExecStart=\"/srv/v2/serve\" \"--port\" \"8102\"\n", "\nEnvironment=\"MODE=fast lane\"\n",
        "\nWorkingDirectory=/srv\n", "\nStandardOutput=append:/r/tool-green.log\n",
        "\nTimeoutStopSec=2.500\n", "\nWantedBy=multi-user.target\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

}  // namespace
}  // namespace bluegreen
