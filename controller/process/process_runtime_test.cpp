// ProcessRuntime against real programs in sessions of their own. Each case has its own folder and
// ports and ends what it started, also when it fails.
#include "controller/process/process_runtime.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "controller/host/atomic_file.hpp"
#include "controller/process/proc_table.hpp"
#include "shm/unique_fd.hpp"

namespace bluegreen {
namespace {

using std::chrono::steady_clock;

// Answers GET with 200; `mode` (its image) makes it misbehave.
constexpr const char* kServer = R"(
import http.server, os, signal, sys, time
mode, color, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("serving", mode, color, os.environ.get("WORD", ""), flush=True)
if mode == "dies":
    sys.exit(7)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setpgid(0, 0)
        time.sleep(300)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if mode == "sick" else 200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
)";

std::uint16_t free_port() {
  const shm::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

class World {
 public:
  World() {
    char name[] = "/tmp/process_runtime_test.XXXXXX";
    folder = ::mkdtemp(name);
    for (const char* image : {"good", "dies", "sick", "stubborn"}) {
      std::ofstream(folder + "/" + image + ".py") << kServer;
    }
    config.command = {"python3", folder + "/{image}.py", "{image}", "{color}", "{port}"};
    config.ports[0] = free_port();
    config.ports[1] = free_port();
    config.stop_timeout = milliseconds(500);
    config.environment = {{"WORD", "{image}-{color}"}};
  }
  ~World() {
    auto last = runtime();
    for (const Color color : shm::kColors) {
      static_cast<void>(last->remove(color));
    }
    std::filesystem::remove_all(folder);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A new one each time: what bgctl is after a crash.
  std::unique_ptr<Runtime> runtime() const {
    return std::make_unique<ProcessRuntime>("tool", config, milliseconds(5000), folder,
                                            make_session_supervisor());
  }

  static Deadline soon() { return steady_clock::now() + std::chrono::seconds(10); }

  std::string folder;
  ProcessConfig config;
};

const PinnedImage kGood{"good", "good"};

TEST_CASE("Program is started, gets healthy, is observed by another bgctl and removed") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->preflight(Color::kGreen));
  const auto pulled = runtime->pull("good", {});
  REQUIRE(pulled);
  CHECK(pulled->pinned == "good");
  REQUIRE(runtime->start(Color::kGreen, *pulled));
  REQUIRE(runtime->wait_healthy(Color::kGreen, World::soon()));

  auto another = world.runtime();
  const auto seen = another->observe(Color::kGreen);
  REQUIRE(seen);
  REQUIRE(seen->size() == 1);
  CHECK(seen->front().image == "good");
  CHECK(seen->front().health == Health::kHealthy);
  const auto endpoints = another->endpoints(Color::kGreen);
  REQUIRE(endpoints);
  REQUIRE(endpoints->size() == 1);
  CHECK(endpoints->front().port == world.config.ports[1]);
  CHECK(endpoints->front().identity == seen->front().identity);
  CHECK(another->log_tail(Color::kGreen, 5) == "serving good green good-green");
  CHECK(another->observe(Color::kBlue)->empty());

  REQUIRE(runtime->stop(Color::kGreen));
  CHECK(another->observe(Color::kGreen)->empty());
  CHECK(another->endpoints(Color::kGreen)->empty());
  REQUIRE(runtime->remove(Color::kGreen));
  REQUIRE(runtime->remove(Color::kGreen));
  CHECK_FALSE(std::filesystem::exists(world.folder + "/process/tool-green.json"));
}

TEST_CASE("Program ignores and blocks no signal, whatever bgctl does") {
  World world;
  world.config.command = {"/bin/sh", "-c",
                          "grep -E '^Sig(Ign|Blk):' /proc/self/status; exec sleep 60"};
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  auto runtime = world.runtime();
  const auto started = runtime->start(Color::kGreen, kGood);
  std::signal(SIGPIPE, before);
  REQUIRE(started);
  const auto deadline = World::soon();
  std::string log;
  while (log.find("SigIgn") == std::string::npos && steady_clock::now() < deadline) {
    log = runtime->log_tail(Color::kGreen, 5);
  }
  CHECK(log == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000");
}

TEST_CASE("Second start replaces the program and has another identity") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->start(Color::kBlue, kGood));
  REQUIRE(runtime->wait_healthy(Color::kBlue, World::soon()));
  const auto first = runtime->observe(Color::kBlue)->front();
  const auto again = world.runtime()->start(Color::kBlue, kGood);
  CAPTURE((again ? std::string() : again.error().what));
  REQUIRE(again);
  REQUIRE(runtime->wait_healthy(Color::kBlue, World::soon()));
  const auto second = runtime->observe(Color::kBlue)->front();
  CHECK(first.id != second.id);
  CHECK(first.identity != second.identity);
}

TEST_CASE("Program that dies fails at once with its exit code and log") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->start(Color::kBlue, {"dies", "dies"}));
  const auto begin = steady_clock::now();
  const auto healthy = runtime->wait_healthy(Color::kBlue, begin + std::chrono::seconds(30));
  REQUIRE_FALSE(healthy);
  CHECK(steady_clock::now() - begin < std::chrono::seconds(10));
  CHECK(healthy.error().code == ExitCode::kNotHealthy);
  CHECK(healthy.error().what == "tool-blue exited with 7");
  CHECK(healthy.error().tail == "serving dies blue dies-blue");
}

TEST_CASE("Program that answers 503 is not healthy when the time is up") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->start(Color::kBlue, {"sick", "sick"}));
  const auto healthy =
      runtime->wait_healthy(Color::kBlue, steady_clock::now() + milliseconds(1500));
  REQUIRE_FALSE(healthy);
  CHECK(healthy.error().code == ExitCode::kNotHealthy);
  CHECK(healthy.error().what == "tool-blue is not healthy in time: /health answered 503");
}

TEST_CASE("Wait for health ends at once when a stop is asked for") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->start(Color::kBlue, {"sick", "sick"}));
  const auto begin = steady_clock::now();
  runtime->stop_when([begin] { return steady_clock::now() > begin + milliseconds(300); });
  const auto waited = runtime->wait_healthy(Color::kBlue, World::soon());
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == ExitCode::kAborted);
  CHECK(steady_clock::now() - begin < milliseconds(5'000));
}

TEST_CASE("Program that ignores SIGTERM is killed with all of its session") {
  const World world;
  auto runtime = world.runtime();
  REQUIRE(runtime->start(Color::kBlue, {"stubborn", "stubborn"}));
  REQUIRE(runtime->wait_healthy(Color::kBlue, World::soon()));
  const std::string id = runtime->observe(Color::kBlue)->front().id;
  const int session = std::stoi(id);
  CHECK(session_members(session).size() == 2);
  REQUIRE(runtime->stop(Color::kBlue));
  CHECK(session_members(session).empty());
}

TEST_CASE("Image without its file is refused by pull, which names the file") {
  const World world;
  const auto pulled = world.runtime()->pull("v9", {});
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().code == ExitCode::kPull);
  CHECK(pulled.error().what == "image 'v9': " + world.folder + "/v9.py does not exist");
}

TEST_CASE("Port that somebody else listens on is refused by name before anything is started") {
  const World world;
  const shm::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(world.config.ports[1]);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  auto runtime = world.runtime();
  const auto checked = runtime->preflight(Color::kGreen);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ExitCode::kPreflight);
  CHECK(checked.error().what == "port " + std::to_string(world.config.ports[1]) +
                                    " of green is in use by process_test (pid " +
                                    std::to_string(::getpid()) + ")");
  const auto started = runtime->start(Color::kGreen, kGood);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ExitCode::kNotHealthy);
  CHECK_FALSE(std::filesystem::exists(world.folder + "/process/tool-green.json"));
}

TEST_CASE("Record of a reused process number is not believed, and its process not killed") {
  const World world;
  const auto self = stat_of(::getpid());
  REQUIRE(self);
  // Our own number with another start time: the program is gone, its number is ours now.
  const ProcessRecord stale{::getpid(), self->start_ticks - 1, boot_id(), 0, "good", {"x"}};
  REQUIRE(make_folder(world.folder + "/process"));
  REQUIRE(replace_file(world.folder + "/process/tool-blue.json", to_text(stale)));
  auto runtime = world.runtime();
  CHECK(runtime->observe(Color::kBlue)->empty());
  REQUIRE(runtime->stop(Color::kBlue));
  // Same number and start time, another boot.
  const ProcessRecord old{::getpid(), self->start_ticks, "another-boot", 0, "good", {"x"}};
  REQUIRE(replace_file(world.folder + "/process/tool-blue.json", to_text(old)));
  CHECK(runtime->observe(Color::kBlue)->empty());
  REQUIRE(runtime->stop(Color::kBlue));
}

TEST_CASE("Program outlives the bgctl that started it and is known to the next one") {
  const World world;
  const pid_t starter = ::fork();
  if (starter == 0) {
    const bool started = world.runtime()->start(Color::kGreen, kGood).has_value();
    ::kill(::getpid(), started ? SIGKILL : SIGTERM);
  }
  int status = 0;
  REQUIRE(::waitpid(starter, &status, 0) == starter);
  REQUIRE(WTERMSIG(status) == SIGKILL);
  auto runtime = world.runtime();
  REQUIRE(runtime->wait_healthy(Color::kGreen, World::soon()));
  REQUIRE(runtime->observe(Color::kGreen)->size() == 1);
  REQUIRE(runtime->stop(Color::kGreen));
  CHECK(runtime->observe(Color::kGreen)->empty());
}

TEST_CASE("Program whose record cannot be written is not started") {
  const World world;
  REQUIRE(make_folder(world.folder + "/process"));
  // A folder where the record's temporary file would go.
  REQUIRE(make_folder(world.folder + "/process/tool-blue.json.new"));
  auto runtime = world.runtime();
  const auto started = runtime->start(Color::kBlue, kGood);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ExitCode::kNotHealthy);
  CHECK(runtime->log_tail(Color::kBlue, 5).empty());
}

}  // namespace
}  // namespace bluegreen
