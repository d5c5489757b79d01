// See trace.hpp.
#include "controller/host/trace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "controller/host/atomic_file.hpp"
#include "controller/host/contract_mark.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"
#include "controller/ports/json_fields.hpp"
#include "shm/worker_slots.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr off_t kReserve = off_t{256} * 1024;
// A request this young may belong to a process that is just being started.
constexpr milliseconds kJustAsked{30'000};

std::string reason(int error) {
  return std::generic_category().message(error);
}

tl::unexpected<Error> cannot_trace(const std::string& what) {
  return fail(ExitCode::kPreflight, "the trace cannot be written, so nothing was begun: " + what,
              "make trace_dir of the configuration writable and see that its disk has space");
}

std::int64_t ms_of(system_clock::time_point at) {
  return std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
}

json parse_file(const std::string& path) {
  const auto text = read_file(path);
  return text && *text ? json::parse(**text, nullptr, false) : json();
}

std::int64_t number_at(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Space that write_verdict gives free just before it needs it.
Result<void> reserve_space(const std::string& folder) {
  const std::string path = folder + "/reserve";
  const shm::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) {
    return cannot_trace(path + ": " + reason(errno));
  }
  const int error = ::posix_fallocate(fd.get(), 0, kReserve);
  if (error != 0) {
    return cannot_trace(path + ": " + reason(error));
  }
  return {};
}

}  // namespace

std::string trace_folder(const std::string& trace_dir, const std::string& app,
                         const std::string& id) {
  return trace_dir + "/" + app + "/" + id;
}

Result<void> make_trace(const std::string& folder, const DeployRequest& request) {
  const bool was_there = ::access(folder.c_str(), F_OK) == 0;
  if (auto made = make_folder(folder); !made) {
    return cannot_trace(made.error());
  }
  auto reserved = reserve_space(folder);
  const std::string text = dump({{"command", request.command},
                                 {"image", request.image},
                                 {"by", request.by},
                                 {"from", request.from},
                                 {"at", utc_time_ms(request.at)},
                                 {"at_ms", ms_of(request.at)},
                                 {"pause_before", request.pause_before},
                                 {"pause_ms", request.pause_for.count()}});
  auto written =
      reserved ? replace_file(folder + "/request", text) : tl::expected<void, std::string>{};
  if (reserved && written) {
    return {};
  }
  if (!was_there) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  return reserved ? cannot_trace(written.error()) : reserved;
}

Result<std::optional<DeployRequest>> read_request(const std::string& folder) {
  const json document = parse_file(folder + "/request");
  if (document.is_null()) {
    return std::nullopt;
  }
  if (!document.is_object()) {
    return fail(ExitCode::kPreflight, folder + "/request: expected a JSON object");
  }
  DeployRequest request;
  request.command = text_at(document, "command");
  request.image = text_at(document, "image");
  request.by = text_at(document, "by");
  request.from = text_at(document, "from");
  request.at = system_clock::time_point(milliseconds(number_at(document, "at_ms")));
  request.pause_before = text_at(document, "pause_before");
  request.pause_for = milliseconds(number_at(document, "pause_ms"));
  return request;
}

Result<std::optional<Verdict>> read_verdict(const std::string& folder) {
  const std::string path = folder + "/verdict.json";
  auto text = read_file(path);
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  if (!*text) {
    return std::nullopt;
  }
  auto verdict = verdict_from_json(**text, path);
  return verdict ? Result<std::optional<Verdict>>(std::move(*verdict))
                 : tl::unexpected(verdict.error());
}

Result<void> discard_verdict(const std::string& folder) {
  auto removed = remove_file(folder + "/verdict.json");
  return removed ? Result<void>{} : cannot_trace(removed.error());
}

Result<shm::UniqueFd> lock_runner(const std::string& folder) {
  const std::string path = folder + "/runner";
  shm::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) {
    return cannot_trace(path + ": " + reason(errno));
  }
  // An earlier attempt with this id has its verdict out a moment before it ends.
  constexpr milliseconds kBetweenTries{5};
  for (int left = 200; !shm::try_lock_byte(fd.get(), 0); --left) {
    if (left == 0) {
      return fail(ExitCode::kLocked, path + ": this deploy is being run by another process");
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
  return fd;
}

bool runner_is_alive(const std::string& folder) {
  const shm::UniqueFd fd(::open((folder + "/runner").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    return false;
  }
  struct flock lock = shm::detail::byte_lock(0);
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<std::unique_ptr<TraceFolder>> TraceFolder::open(const std::string& trace_dir,
                                                       const std::string& app,
                                                       const std::string& id) {
  std::unique_ptr<TraceFolder> trace(new TraceFolder);
  trace->trace_dir_ = trace_dir;
  trace->folder_ = trace_folder(trace_dir, app, id);
  if (auto made = make_folder(trace->folder_); !made) {
    return cannot_trace(made.error());
  }
  return trace;
}

Result<void> TraceFolder::append(const JournalRecord& record) {
  if (!journal_) {
    auto journal = Journal::open(folder_ + "/journal");
    if (!journal) {
      return tl::unexpected(journal.error());
    }
    journal_ = std::move(*journal);
  }
  return journal_->append(record);
}

Result<std::vector<JournalRecord>> TraceFolder::records() {
  auto journal = Journal::read(folder_ + "/journal");
  if (!journal) {
    return tl::unexpected(journal.error());
  }
  return std::move(journal->records);
}

Result<void> TraceFolder::write_verdict(const Verdict& verdict) {
  json document = json::parse(verdict_to_json(verdict), nullptr, false);
  const auto ended = system_clock::now();
  auto request = read_request(folder_);
  const auto started = request && *request ? (*request)->at : ended;
  document["started"] = utc_time_ms(started);
  document["ended"] = utc_time_ms(ended);
  document["ms"] = ms_of(ended) - ms_of(started);
  ::unlink((folder_ + "/reserve").c_str());
  auto written = replace_file(folder_ + "/verdict.json", dump(document));
  return written ? Result<void>{} : fail(ExitCode::kPreflight, written.error());
}

Result<void> TraceFolder::mark_last_image(const std::string& image) {
  auto written = replace_file(trace_dir_ + "/last_image", image + "\n");
  return written ? Result<void>{} : fail(ExitCode::kPreflight, written.error());
}

Result<void> TraceFolder::mark_contract(const ContractMark& mark) {
  return write_contract_mark(folder_.substr(0, folder_.rfind('/')), mark);
}

void TraceFolder::keep_log(const std::string& name, const std::string& text) {
  // What an application logs may be secret: root's alone.
  (void)replace_file(folder_ + "/" + name, text, 0600);
}

Result<std::vector<TraceSummary>> TraceFolders::list(const std::string& app) {
  std::vector<TraceSummary> summaries;
  std::error_code error;
  std::filesystem::directory_iterator entries(trace_dir_ + "/" + app, error);
  if (error) {
    if (error == std::errc::no_such_file_or_directory) {
      return summaries;
    }
    return fail(ExitCode::kPreflight, trace_dir_ + "/" + app + ": " + error.message());
  }
  for (const auto& entry : entries) {
    const std::string folder = entry.path().string();
    const json request = parse_file(folder + "/request");
    if (!request.is_object()) {
      continue;
    }
    TraceSummary summary;
    summary.id = entry.path().filename().string();
    summary.started = system_clock::time_point(milliseconds(number_at(request, "at_ms")));
    summary.command = text_at(request, "command");
    summary.image = text_at(request, "image");
    summary.by = text_at(request, "by");
    summary.from = text_at(request, "from");
    if (auto verdict = read_verdict(folder); verdict && *verdict) {
      summary.verdict = std::move(**verdict);
      summary.took = milliseconds(number_at(parse_file(folder + "/verdict.json"), "ms"));
    } else {
      const bool young = system_clock::now() - summary.started < kJustAsked;
      const bool begun = ::access((folder + "/journal").c_str(), F_OK) == 0;
      summary.alive = runner_is_alive(folder) || (young && !begun);
    }
    summaries.push_back(std::move(summary));
  }
  std::sort(summaries.begin(), summaries.end(), [](const TraceSummary& a, const TraceSummary& b) {
    return a.started != b.started ? a.started > b.started : a.id > b.id;
  });
  return summaries;
}

std::vector<std::string> TraceFolders::interrupted(const std::string& app) const {
  std::vector<std::string> ids;
  std::error_code error;
  std::filesystem::directory_iterator entries(trace_dir_ + "/" + app, error);
  if (error) {
    return ids;
  }
  const std::time_t now = std::time(nullptr);
  for (const auto& entry : entries) {
    const std::string folder = entry.path().string();
    struct stat asked {};
    const bool ended = ::access((folder + "/verdict.json").c_str(), F_OK) == 0;
    const bool begun = ::access((folder + "/journal").c_str(), F_OK) == 0;
    // A deploy that is tried again has its journal before it has a process.
    const bool just_asked = ::stat((folder + "/request").c_str(), &asked) != 0 ||
                            (asked.st_mtime <= now && now - asked.st_mtime <= 1);
    if (!ended && begun && !just_asked && !runner_is_alive(folder)) {
      ids.push_back(entry.path().filename().string());
    }
  }
  return ids;
}

Result<void> TraceFolders::remove(const std::string& app, const std::string& id) {
  const std::string folder = trace_folder(trace_dir_, app, id);
  // Without a request nobody takes it for a deploy that was interrupted.
  auto forgotten = remove_file(folder + "/request");
  if (!forgotten) {
    return fail(ExitCode::kPreflight, forgotten.error());
  }
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return error ? fail(ExitCode::kPreflight, folder + ": " + error.message()) : Result<void>{};
}

Result<std::unique_ptr<TracePort>> TraceFolders::open(const std::string& app,
                                                      const std::string& id) {
  auto trace = TraceFolder::open(trace_dir_, app, id);
  return trace ? Result<std::unique_ptr<TracePort>>(std::move(*trace))
               : tl::unexpected(trace.error());
}

Result<std::optional<ContractMark>> TraceFolders::contract_mark(const std::string& app) {
  return read_contract_mark(trace_dir_ + "/" + app);
}

}  // namespace bluegreen
