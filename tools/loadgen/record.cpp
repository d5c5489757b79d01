// See record.hpp.
#include "tools/loadgen/record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace bluegreen::loadgen {

namespace {

constexpr std::size_t kFlushSize = 131'072;
constexpr std::uint64_t kFlushEvery = 50'000'000;  // ns: a test that follows the file waits little
constexpr std::size_t kMaxField = 128;

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end.ptr);
}

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool parse_line(std::string_view line, Sample& sample) {
  std::array<std::string_view, 7> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t comma = line.find(',');
    if ((comma == std::string_view::npos) != (i + 1 == fields.size())) {
      return false;
    }
    fields[i] = line.substr(0, comma);
    line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
  }
  sample.color = fields[3];
  sample.release = fields[4];
  sample.error = fields[6];
  return parse_number(fields[0], sample.start_ns) && parse_number(fields[1], sample.end_ns) &&
         parse_number(fields[2], sample.status) && parse_number(fields[5], sample.connection) &&
         sample.start_ns <= sample.end_ns;
}

}  // namespace

std::string as_field(std::string_view text) {
  std::string field(text.substr(0, kMaxField));
  for (char& c : field) {
    if (c == ',' || c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      c = '_';
    }
  }
  return field;
}

RecordWriter::~RecordWriter() {
  close();
}

std::string RecordWriter::open(const std::string& path) {
  path_ = path;
  if (path.empty()) {
    return {};
  }
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) {
    return "cannot write " + path + ": " + std::strerror(errno);
  }
  buffer_.reserve(2 * kFlushSize);
  return {};
}

void RecordWriter::write(const Sample& sample) {
  if (fd_ < 0) {
    return;
  }
  append_number(buffer_, sample.start_ns);
  buffer_ += ',';
  append_number(buffer_, sample.end_ns);
  buffer_ += ',';
  append_number(buffer_, static_cast<std::uint64_t>(sample.status));
  buffer_ += ',';
  buffer_ += as_field(sample.color);
  buffer_ += ',';
  buffer_ += as_field(sample.release);
  buffer_ += ',';
  append_number(buffer_, sample.connection);
  buffer_ += ',';
  buffer_ += sample.error;
  buffer_ += '\n';
  if (buffer_.size() >= kFlushSize) {
    flush();
  }
}

void RecordWriter::tick(std::uint64_t now_ns) {
  if (now_ns - flushed_ns_ >= kFlushEvery) {
    flushed_ns_ = now_ns;
    flush();
  }
}

std::string RecordWriter::close() {
  if (fd_ >= 0) {
    flush();
    if (::close(fd_) != 0 && error_.empty()) {
      error_ = "cannot write " + path_ + ": " + std::strerror(errno);
    }
    fd_ = -1;
  }
  return error_;
}

void RecordWriter::flush() {
  for (std::size_t done = 0; fd_ >= 0 && done < buffer_.size() && error_.empty();) {
    const ssize_t wrote = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno != EINTR) {
      error_ = "cannot write " + path_ + ": " + std::strerror(errno);
    }
  }
  buffer_.clear();
}

std::string read_record(const std::string& path, const std::function<void(const Sample&)>& each) {
  std::ifstream file(path);
  if (!file) {
    return "cannot read " + path + ": " + std::strerror(errno);
  }
  std::string line;
  for (std::uint64_t number = 1; std::getline(file, line); ++number) {
    Sample sample;
    // A line without its end is a load that was killed: its record is not whole.
    if (file.eof() || !parse_line(line, sample)) {
      return path + ":" + std::to_string(number) + ": \"" + line.substr(0, 120) +
             "\" is no whole line of start_ns,end_ns,status,color,release,connection,error";
    }
    each(sample);
  }
  return {};
}

}  // namespace bluegreen::loadgen
