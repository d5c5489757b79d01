// Tests of lock.hpp, with real files and processes.
#include "controller/host/lock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

namespace bluegreen {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    char name[] = "/tmp/bgctl-lock-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string path;
};

const std::string kName = app_lock_name(0xabcU, "app");

Result<HostLock> take(const std::string& folder) {
  return HostLock::acquire(folder, kName, "application app", LockHolder{0, "deploy", "d1", {}});
}

// A child that takes the lock and then sleeps until it is killed.
pid_t child_with_lock(const std::string& folder) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = take(folder);
    const char word = lock ? 'y' : 'n';
    static_cast<void>(!::write(ready[1], &word, 1));
    for (;;) {
      ::pause();
    }
  }
  char word = 0;
  REQUIRE(::read(ready[0], &word, 1) == 1);
  REQUIRE(word == 'y');
  ::close(ready[0]);
  ::close(ready[1]);
  return child;
}

}  // namespace

TEST_CASE("HostLock: the second who wants it is told who has it") {
  const Folder folder;
  const pid_t child = child_with_lock(folder.path);
  const auto second = take(folder.path);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ExitCode::kLocked);
  const std::string start = "application app is locked by bgctl deploy d1, process " +
                            std::to_string(child) + ", since 20";
  CHECK(second.error().what.substr(0, start.size()) == start);
  CHECK(is_locked(folder.path, kName));
  REQUIRE(lock_holder(folder.path, kName));
  CHECK(lock_holder(folder.path, kName)->id == "d1");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("HostLock: housekeeping is waited for, by whoever wants the lock at once") {
  const Folder folder;
  std::optional<HostLock> first;
  {
    auto taken = take(folder.path);
    REQUIRE(taken);
    first.emplace(std::move(*taken));
  }
  first->now_for(kPruneWork, "d1");
  REQUIRE(lock_holder(folder.path, kName));
  CHECK(lock_holder(folder.path, kName)->command == kPruneWork);
  std::thread frees([&first] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first.reset();
  });
  const auto second = take(folder.path);
  frees.join();
  CHECK(second);
}

TEST_CASE("HostLock: free again when its holder was killed, whatever its file says") {
  const Folder folder;
  const pid_t child = child_with_lock(folder.path);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_FALSE(is_locked(folder.path, kName));
  CHECK_FALSE(lock_holder(folder.path, kName));
  // The next one is told what was interrupted, and so is everybody until one has settled it.
  CHECK(take(folder.path)->interrupted() == "deploy");
  {
    auto lock = take(folder.path);
    CHECK(lock->interrupted() == "deploy");
    CHECK_FALSE(lock_holder(folder.path, kName));
    lock->now_for("switch", {});
    CHECK_FALSE(lock_holder(folder.path, kName));
    lock->settled();
    CHECK(lock->interrupted().empty());
    CHECK(lock_holder(folder.path, kName)->command == "switch");
  }
  CHECK(take(folder.path)->interrupted().empty());
}

TEST_CASE("HostLock: a holder file that cannot be written is taken away and tells of no kill") {
  const Folder folder;
  const pid_t child = child_with_lock(folder.path);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const std::string file = folder.path + "/" + kName + ".holder";
  // In the way of the file that would be renamed.
  fs::create_directory(file + "." + std::to_string(::getpid()));
  {
    auto lock = take(folder.path);
    CHECK(lock->interrupted() == "deploy");
    lock->settled();
    CHECK_FALSE(fs::exists(file));
  }
  CHECK(take(folder.path)->interrupted().empty());
}

TEST_CASE("HostLock: a child that was started meanwhile does not keep it") {
  const Folder folder;
  auto lock = take(folder.path);
  REQUIRE(lock);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sleep", "sleep", "60", nullptr);
    ::_exit(1);
  }
  // Until the child has become another program it is a copy of us, the descriptor included.
  std::error_code ignored;
  while (fs::read_symlink("/proc/" + std::to_string(child) + "/exe", ignored).filename() !=
             fs::read_symlink("/bin/sleep", ignored).filename() &&
         fs::canonical("/bin/sleep", ignored) !=
             fs::read_symlink("/proc/" + std::to_string(child) + "/exe", ignored)) {
    ::usleep(1000);
  }
  lock = fail(ExitCode::kUsage, "given back");
  CHECK(take(folder.path));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("HostLock: moved, it is held once; gone, its holder file is gone") {
  const Folder folder;
  {
    auto first = take(folder.path);
    REQUIRE(first);
    const HostLock moved = std::move(*first);
    CHECK_FALSE(take(folder.path));
  }
  CHECK_FALSE(is_locked(folder.path, kName));
  CHECK_FALSE(fs::exists(folder.path + "/" + kName + ".holder"));
}

TEST_CASE("HostLock: locks of other regions and applications do not meet") {
  const Folder folder;
  const auto first = take(folder.path);
  REQUIRE(first);
  const LockHolder holder{0, "switch", {}, {}};
  CHECK(HostLock::acquire(folder.path, app_lock_name(0xabcU, "b"), "b", holder));
  CHECK(HostLock::acquire(folder.path, app_lock_name(0xabdU, "app"), "app", holder));
  CHECK(HostLock::acquire(folder.path, control_lock_name(0xabcU), "c", holder));
}

TEST_CASE("HostLock: a run directory that cannot be is named") {
  const Folder folder;
  const auto lock = take(folder.path + "/no/such");
  REQUIRE_FALSE(lock);
  CHECK(lock.error().code == ExitCode::kUsage);
  CHECK(lock.error().what ==
        folder.path + "/no/such: the folder for locks cannot be made: No such file or directory");
  CHECK_FALSE(take("/dev/null"));
}

}  // namespace bluegreen
