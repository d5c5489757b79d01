// See load.hpp.
#include "tools/loadgen/load.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "shm/clock.hpp"
#include "shm/region_file.hpp"
#include "tools/loadgen/http_response.hpp"

namespace bluegreen::loadgen {

namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kRetryAfter = 10 * kMillisecond;  // after a connect that failed
constexpr std::uint64_t kTick = 5 * kMillisecond;         // how often deadlines are looked at

std::uint64_t now_ns() {
  return shm::clock_ns(CLOCK_MONOTONIC);
}

using shm::UniqueFd;

struct Client {
  enum class State : std::uint8_t { kIdle, kBackoff, kConnecting, kSending, kReceiving };
  State state = State::kIdle;
  UniqueFd fd;
  std::uint64_t connection = 0;
  std::uint64_t start_ns = 0;
  std::uint64_t resume_ns = 0;  // kBackoff
  std::size_t sent = 0;
  bool wants_out = false;  // epoll is asked for writability
  HttpResponse response;
};

class Load {
 public:
  Load(const LoadOptions& options, Summary& summary)
      : options_(options),
        summary_(summary),
        request_(request_bytes(options)),
        timeout_ns_(static_cast<std::uint64_t>(options.timeout * 1e9)),
        clients_(static_cast<std::size_t>(options.clients)) {}

  std::string run();

 private:
  std::string prepare();
  void begin(Client& client);
  void connect(Client& client);
  void send(Client& client);
  void receive(Client& client);
  void after_response(Client& client);
  void lost(Client& client, int error);
  void end_request(Client& client, std::string_view error);
  void handle(Client& client, std::uint32_t events);
  void look_at_deadlines(std::uint64_t now);
  void watch(Client& client, bool out, int operation);
  bool outstanding() const;

  const LoadOptions& options_;
  Summary& summary_;
  const std::string request_;
  const std::uint64_t timeout_ns_;
  std::vector<Client> clients_;
  RecordWriter record_;
  sockaddr_storage address_{};
  socklen_t address_size_ = 0;
  UniqueFd epoll_;
  UniqueFd signals_;
  std::uint64_t connections_ = 0;
  bool stopping_ = false;
  std::array<char, 65536> buffer_;
};

std::string Load::prepare() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options_.port);
  const int failed = ::getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return "cannot find host " + options_.host + ": " + ::gai_strerror(failed);
  }
  std::memcpy(&address_, found->ai_addr, found->ai_addrlen);
  address_size_ = found->ai_addrlen;
  ::freeaddrinfo(found);
  if (std::string error = record_.open(options_.record); !error.empty()) {
    return error;
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (epoll_.get() < 0 || signals_.get() < 0 ||
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), &event) != 0) {
    return std::string("cannot prepare: ") + std::strerror(errno);
  }
  return {};
}

std::string Load::run() {
  if (std::string error = prepare(); !error.empty()) {
    return error;
  }
  const std::uint64_t began = now_ns();
  const std::uint64_t end = options_.seconds > 0
                                ? began + static_cast<std::uint64_t>(options_.seconds * 1e9)
                                : UINT64_MAX;
  for (Client& client : clients_) {
    begin(client);
  }
  std::array<epoll_event, 256> events;
  std::uint64_t looked = began;
  while (!stopping_ || outstanding()) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 5);
    if (count < 0 && errno != EINTR) {
      return std::string("epoll_wait: ") + std::strerror(errno);
    }
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client == nullptr) {
        signalfd_siginfo info;
        while (::read(signals_.get(), &info, sizeof(info)) > 0) {
          stopping_ = true;
        }
      } else {
        handle(*client, events[static_cast<std::size_t>(i)].events);
      }
    }
    const std::uint64_t now = now_ns();
    stopping_ = stopping_ || now >= end;
    if (now - looked >= kTick) {
      looked = now;
      look_at_deadlines(now);
      record_.tick(now);
    }
  }
  summary_.set_connections(connections_, clients_.size());
  summary_.set_seconds(static_cast<double>(now_ns() - began) / 1e9);
  return record_.close();
}

bool Load::outstanding() const {
  return std::any_of(clients_.begin(), clients_.end(), [](const Client& client) {
    return client.state != Client::State::kIdle && client.state != Client::State::kBackoff;
  });
}

void Load::begin(Client& client) {
  client.state = Client::State::kIdle;
  if (stopping_) {
    return;
  }
  client.start_ns = now_ns();
  client.sent = 0;
  client.response.reset(options_.method == "HEAD");
  if (client.fd.get() < 0) {
    connect(client);
  } else {
    send(client);
  }
}

void Load::connect(Client& client) {
  client.state = Client::State::kConnecting;
  client.connection = ++connections_;
  client.fd.reset(
      ::socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (client.fd.get() < 0) {
    lost(client, errno);
    return;
  }
  const int on = 1;
  ::setsockopt(client.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(client.fd.get(), reinterpret_cast<const sockaddr*>(&address_), address_size_) !=
          0 &&
      errno != EINPROGRESS) {
    lost(client, errno);
    return;
  }
  watch(client, true, EPOLL_CTL_ADD);
}

void Load::watch(Client& client, bool out, int operation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | (out ? EPOLLOUT : 0U);
  event.data.ptr = &client;
  client.wants_out = out;
  ::epoll_ctl(epoll_.get(), operation, client.fd.get(), &event);
}

void Load::send(Client& client) {
  client.state = Client::State::kSending;
  while (client.sent < request_.size()) {
    const ssize_t sent = ::send(client.fd.get(), request_.data() + client.sent,
                                request_.size() - client.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) {
        if (!client.wants_out) {
          watch(client, true, EPOLL_CTL_MOD);
        }
        return;
      }
      if (errno != EINTR) {
        lost(client, errno);
        return;
      }
    } else {
      client.sent += static_cast<std::size_t>(sent);
    }
  }
  client.state = Client::State::kReceiving;
  if (client.wants_out) {
    watch(client, false, EPOLL_CTL_MOD);
  }
}

void Load::receive(Client& client) {
  const ssize_t got = ::recv(client.fd.get(), buffer_.data(), buffer_.size(), 0);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      lost(client, errno);
    }
    return;
  }
  if (got == 0) {
    if (client.response.began() && client.response.finish() == HttpResponse::State::kDone) {
      after_response(client);
    } else {
      lost(client, 0);
    }
    return;
  }
  std::size_t consumed = 0;
  const auto size = static_cast<std::size_t>(got);
  const auto state = client.response.feed({buffer_.data(), size}, consumed);
  if (state == HttpResponse::State::kMalformed ||
      (state == HttpResponse::State::kDone && consumed < size)) {
    client.fd.reset();
    end_request(client, "malformed");
  } else if (state == HttpResponse::State::kDone) {
    after_response(client);
  }
}

// The response is complete. Looks whether the server has closed meanwhile, as a careful client
// does before it sends again.
void Load::after_response(Client& client) {
  // The request was not yet sent in full: the server will not read on as a new one.
  const bool reusable = client.response.keep_alive() && client.sent == request_.size();
  if (!reusable) {
    client.fd.reset();
  } else {
    char byte = 0;
    const ssize_t got = ::recv(client.fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      client.fd.reset();
    } else if (got > 0) {
      client.fd.reset();
      end_request(client, "malformed");
      return;
    }
  }
  const int status = client.response.status();
  end_request(client, status >= 200 && status < 300 ? "" : "status");
}

// The connection is gone with a request outstanding. `error`: an errno, 0 for an orderly close.
void Load::lost(Client& client, int error) {
  const bool connecting = client.state == Client::State::kConnecting;
  client.fd.reset();
  if (connecting) {
    end_request(client, error == ECONNREFUSED ? "refused" : "connect");
  } else if (client.response.began()) {
    end_request(client, "truncated");
  } else {
    end_request(client, error == 0 ? "closed" : "reset");
  }
}

void Load::end_request(Client& client, std::string_view error) {
  Sample sample;
  sample.start_ns = client.start_ns;
  sample.end_ns = now_ns();
  sample.status = client.response.status();
  sample.color = client.response.color();
  sample.release = client.response.release();
  sample.connection = client.connection;
  sample.error = error;
  record_.write(sample);
  summary_.add(sample);
  if (error == "refused" || error == "connect") {
    client.state = Client::State::kBackoff;
    client.resume_ns = sample.end_ns + kRetryAfter;
  } else {
    begin(client);
  }
}

void Load::handle(Client& client, std::uint32_t events) {
  if (client.fd.get() < 0) {
    return;  // an event of before it was closed
  }
  if (client.state == Client::State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(client.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      lost(client, error);
    } else if ((events & EPOLLOUT) != 0) {
      send(client);
    }
    return;
  }
  if (client.state == Client::State::kIdle) {
    client.fd.reset();  // stopping; whatever the server does now is not ours
    return;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    receive(client);
  } else if ((events & EPOLLOUT) != 0) {
    send(client);
  }
}

void Load::look_at_deadlines(std::uint64_t now) {
  for (Client& client : clients_) {
    if (client.state == Client::State::kIdle) {
      continue;
    }
    if (client.state == Client::State::kBackoff) {
      if (now >= client.resume_ns) {
        begin(client);
      }
    } else if (now > client.start_ns && now - client.start_ns >= timeout_ns_) {
      client.fd.reset();
      end_request(client, "timeout");
    }
  }
}

}  // namespace

std::string request_bytes(const LoadOptions& options) {
  const bool v6 = options.host.find(':') != std::string::npos;
  std::string out = options.method + " " + options.path +
                    " HTTP/1.1\r\nHost: " + (v6 ? "[" + options.host + "]" : options.host) + ":" +
                    std::to_string(options.port) + "\r\nUser-Agent: loadgen\r\n";
  for (const std::string& header : options.headers) {
    out += header + "\r\n";
  }
  if (options.body > 0 || options.method == "POST" || options.method == "PUT") {
    out += "Content-Type: application/octet-stream\r\nContent-Length: " +
           std::to_string(options.body) + "\r\n";
  }
  out += "\r\n";
  out.append(options.body, 'x');
  return out;
}

std::string run_load(const LoadOptions& options, Summary& summary) {
  const auto load = std::make_unique<Load>(options, summary);
  return load->run();
}

}  // namespace bluegreen::loadgen
