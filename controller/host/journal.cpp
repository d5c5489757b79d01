// See journal.hpp.
#include "controller/host/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "controller/host/atomic_file.hpp"
#include "controller/host/crc_text.hpp"
#include "controller/host/kill_point.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

using nlohmann::json;

constexpr std::string_view kBefore = "{\"crc\":\"";
constexpr std::string_view kBetween = "\",\"record\":";
constexpr std::string_view kAfter = "}";

struct KindWord {
  RecordKind kind;
  const char* word;
};
constexpr KindWord kWords[] = {
    {RecordKind::kBegin, "begin"},     {RecordKind::kIntent, "intent"},
    {RecordKind::kDone, "done"},       {RecordKind::kFailed, "failed"},
    {RecordKind::kUndo, "undo"},       {RecordKind::kUndone, "undone"},
    {RecordKind::kVerdict, "verdict"},
};

const char* word_of(RecordKind kind) {
  for (const KindWord& known : kWords) {
    if (known.kind == kind) {
      return known.word;
    }
  }
  return "";
}

// The record's JSON out of its frame, when the frame and the CRC are right.
std::optional<std::string_view> unframe(std::string_view line) {
  const std::size_t frame = kBefore.size() + kCrcDigits + kBetween.size();
  if (line.size() < frame + kAfter.size() || line.substr(0, kBefore.size()) != kBefore ||
      line.substr(kBefore.size() + kCrcDigits, kBetween.size()) != kBetween ||
      line.substr(line.size() - kAfter.size()) != kAfter) {
    return std::nullopt;
  }
  const std::string_view record = line.substr(frame, line.size() - frame - kAfter.size());
  if (line.substr(kBefore.size(), kCrcDigits) != crc_text(record)) {
    return std::nullopt;
  }
  return record;
}

std::optional<JournalRecord> decode_record(std::string_view text, std::uint64_t seq) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || document.value("seq", json()) != json(seq)) {
    return std::nullopt;
  }
  const json kind = document.value("kind", json());
  const json step = document.value("step", json());
  const json data = document.value("data", json());
  if (!kind.is_string() || !step.is_string() || !data.is_object()) {
    return std::nullopt;
  }
  for (const KindWord& known : kWords) {
    if (kind.get<std::string>() != known.word) {
      continue;
    }
    JournalRecord record{known.kind, step.get<std::string>(), {}};
    for (const auto& [key, value] : data.items()) {
      if (!value.is_string()) {
        return std::nullopt;
      }
      record.data.emplace(key, value.get<std::string>());
    }
    return record;
  }
  return std::nullopt;
}

// What somebody acts upon once it is written. The others say what has been done: they become
// durable with the next of these, and one that a power loss takes costs a recovery that looks
// again.
bool is_relied_on(RecordKind kind) {
  return kind == RecordKind::kIntent || kind == RecordKind::kUndo || kind == RecordKind::kVerdict;
}

tl::unexpected<Error> failed(const std::string& path, const char* what, int error) {
  return fail(
      ExitCode::kPreflight,
      path + ": the journal cannot be " + what + ": " + std::generic_category().message(error),
      error == ENOSPC ? "free space where the traces are kept (trace_dir)" : "");
}

}  // namespace

std::string encode_record(const JournalRecord& record, std::uint64_t seq,
                          std::chrono::system_clock::time_point at) {
  const std::string text = json({{"seq", seq},
                                 {"at", utc_time_ms(at)},
                                 {"kind", word_of(record.kind)},
                                 {"step", record.step},
                                 {"data", record.data}})
                               .dump(-1, ' ', false, json::error_handler_t::replace);
  std::string line(kBefore);
  line += crc_text(text);
  line += kBetween;
  line += text;
  line += kAfter;
  line += '\n';
  return line;
}

JournalText decode_journal(std::string_view text) {
  JournalText journal;
  while (journal.valid < text.size()) {
    const std::size_t end = text.find('\n', journal.valid);
    if (end == std::string_view::npos) {
      break;
    }
    const auto framed = unframe(text.substr(journal.valid, end - journal.valid));
    auto record = framed ? decode_record(*framed, journal.records.size() + 1) : std::nullopt;
    if (!record) {
      break;
    }
    journal.records.push_back(std::move(*record));
    journal.valid = end + 1;
  }
  journal.cut = text.size() - journal.valid;
  return journal;
}

Result<JournalText> Journal::read(const std::string& path) {
  auto text = read_file(path);
  if (!text) {
    return fail(ExitCode::kPreflight, text.error());
  }
  return decode_journal(text->value_or(""));
}

Result<Journal> Journal::open(const std::string& path) {
  Journal journal;
  journal.path_ = path;
  journal.fd_ = shm::UniqueFd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!journal.fd_) {
    return failed(path, "opened", errno);
  }
  auto text = read(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  if (text->cut != 0 && ::ftruncate(journal.fd_.get(), static_cast<off_t>(text->valid)) != 0) {
    return failed(path, "cut after its last whole record", errno);
  }
  journal.records_ = text->records.size();
  journal.size_ = text->valid;
  // The name of a new file has to be as durable as what is appended to it.
  const std::string folder = path.substr(0, path.rfind('/'));
  const shm::UniqueFd parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool cut_is_safe = text->cut == 0 || ::fsync(journal.fd_.get()) == 0;
  if (!parent || !cut_is_safe || ::fsync(parent.get()) != 0) {
    return failed(path, "flushed", errno);
  }
  return journal;
}

Result<void> Journal::append(const JournalRecord& record) {
  if (torn_) {
    return fail(ExitCode::kPreflight, path_ + ": the journal ends with a torn record");
  }
  const std::string line = encode_record(record, records_ + 1, std::chrono::system_clock::now());
  std::size_t done = 0;
  BLUEGREEN_KILL_POINT("journal record about to be written");
  while (done < line.size()) {
    const ssize_t size = ::write(fd_.get(), line.data() + done, line.size() - done);
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      const int error = errno;
      // Half a record must not stand before the next one.
      torn_ = ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0;
      return failed(path_, "written", error);
    }
    done += static_cast<std::size_t>(size);
  }
  BLUEGREEN_KILL_POINT("journal record written");
  if (is_relied_on(record.kind) && ::fdatasync(fd_.get()) != 0) {
    // After a failed flush nobody knows what is on the disk: nothing may rely on this file again.
    torn_ = true;
    return failed(path_, "flushed", errno);
  }
  BLUEGREEN_KILL_POINT("journal record durable");
  ++records_;
  size_ += line.size();
  return {};
}

}  // namespace bluegreen
