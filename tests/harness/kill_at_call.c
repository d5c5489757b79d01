// A library for LD_PRELOAD that kills a process at one of its system calls that change something.
//
//   KILL_CALL_LOG=file             each such call of the command is a line: COMMAND, number, name
//   KILL_CALL_AT="COMMAND N HOW"   kill it at the N-th one: before, after, or (a write) half way
//
// Of sockets only those between processes of this host count (an engine's, the gate of a child): how often a
// health check asks by TCP differs from run to run, and changes nothing.
//
// COMMAND is the program's first argument: the rest of a deploy's processes is left alone, and so is
// what it starts. Only calls that go through the C library's symbols are seen, which are all that
// bgctl makes itself; one thread makes them. Own work goes by bare system calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum how { BEFORE, AFTER, HALF };

static pid_t watched;  // 0: this process is none of ours
static long met;
static long kill_at;
static enum how kill_how;
static int log_fd = -1;
static char command[64];

__attribute__((constructor)) static void look_at_orders(void) {
  char words[4096];
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
  const long size = fd < 0 ? 0 : syscall(SYS_read, fd, words, sizeof(words) - 1);
  syscall(SYS_close, fd);
  words[size > 0 ? size : 0] = '\0';
  const size_t first = strlen(words) + 1;
  snprintf(command, sizeof(command), "%s", (long)first < size ? words + first : "");
  const char* at = getenv("KILL_CALL_AT");
  const char* log = getenv("KILL_CALL_LOG");
  char wanted[64] = "";
  char how[16] = "";
  long number = 0;
  if (at != NULL) {
    sscanf(at, "%63s %ld %15s", wanted, &number, how);
  }
  if (strcmp(command, "run-deploy") != 0 && strcmp(command, wanted) != 0) {
    return;
  }
  watched = (pid_t)syscall(SYS_getpid);
  kill_at = strcmp(command, wanted) == 0 ? number : 0;
  kill_how = strcmp(how, "after") == 0 ? AFTER : strcmp(how, "half") == 0 ? HALF : BEFORE;
  if (log != NULL) {
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
}

static void die(void) {
  syscall(SYS_kill, watched, SIGKILL);
  for (;;) {
    syscall(SYS_pause);
  }
}

// The number of this call, and death before it where that is asked for.
static long enter(const char* name) {
  if (watched == 0 || (pid_t)syscall(SYS_getpid) != watched) {
    return 0;  // a child between fork and exec
  }
  const long number = ++met;
  if (log_fd >= 0) {
    char line[160];
    const int size = snprintf(line, sizeof(line), "%s\t%ld\t%s\n", command, number, name);
    syscall(SYS_write, log_fd, line, (size_t)size);
  }
  if (number == kill_at && kill_how == BEFORE) {
    die();
  }
  return number;
}

static void leave(long number) {
  if (number != 0 && number == kill_at) {
    die();
  }
}

static int half(long number) {
  return number != 0 && number == kill_at && kill_how == HALF;
}

static long enter_socket(int fd, const char* name) {
  struct sockaddr_storage own;
  socklen_t size = sizeof(own);
  const int local = getsockname(fd, (struct sockaddr*)&own, &size) == 0 && own.ss_family == AF_UNIX;
  return local ? enter(name) : 0;
}

#define NEXT(function)                                         \
  static __typeof__(&function) next;                           \
  if (next == NULL) {                                          \
    next = (__typeof__(&function))dlsym(RTLD_NEXT, #function); \
  }

ssize_t write(int fd, const void* data, size_t size) {
  NEXT(write)
  const long number = enter("write");
  const ssize_t done = next(fd, data, half(number) ? size / 2 : size);
  leave(number);
  return done;
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  NEXT(writev)
  const long number = enter("writev");
  const ssize_t done = next(fd, parts, count);
  leave(number);
  return done;
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  NEXT(send)
  const long number = enter_socket(fd, "send");
  const ssize_t done = next(fd, data, size, flags);
  leave(number);
  return done;
}

int connect(int fd, const struct sockaddr* address, socklen_t size) {
  NEXT(connect)
  const long number = enter_socket(fd, "connect");
  const int done = next(fd, address, size);
  leave(number);
  return done;
}

#define ONE_FD(function)                     \
  int function(int fd) {                     \
    NEXT(function)                           \
    const long number = enter(#function);    \
    const int done = next(fd);               \
    leave(number);                           \
    return done;                             \
  }
ONE_FD(fsync)
ONE_FD(fdatasync)

int msync(void* from, size_t size, int flags) {
  NEXT(msync)
  const long number = enter("msync");
  const int done = next(from, size, flags);
  leave(number);
  return done;
}

int ftruncate(int fd, off_t size) {
  NEXT(ftruncate)
  const long number = enter("ftruncate");
  const int done = next(fd, size);
  leave(number);
  return done;
}

int posix_fallocate(int fd, off_t from, off_t size) {
  NEXT(posix_fallocate)
  const long number = enter("posix_fallocate");
  const int done = next(fd, from, size);
  leave(number);
  return done;
}

int rename(const char* from, const char* to) {
  NEXT(rename)
  const long number = enter("rename");
  const int done = next(from, to);
  leave(number);
  return done;
}

int link(const char* from, const char* to) {
  NEXT(link)
  const long number = enter("link");
  const int done = next(from, to);
  leave(number);
  return done;
}

int unlink(const char* path) {
  NEXT(unlink)
  const long number = enter("unlink");
  const int done = next(path);
  leave(number);
  return done;
}

int mkdir(const char* path, mode_t mode) {
  NEXT(mkdir)
  const long number = enter("mkdir");
  const int done = next(path, mode);
  leave(number);
  return done;
}

int fchmod(int fd, mode_t mode) {
  NEXT(fchmod)
  const long number = enter("fchmod");
  const int done = next(fd, mode);
  leave(number);
  return done;
}

int kill(pid_t pid, int signal) {
  NEXT(kill)
  const long number = enter("kill");
  const int done = next(pid, signal);
  leave(number);
  return done;
}

pid_t fork(void) {
  NEXT(fork)
  const long number = enter("fork");
  const pid_t done = next();
  if (done != 0) {
    leave(number);
  }
  return done;
}

// One that makes a file changes something; the mode is the third argument then.
int open(const char* path, int flags, ...) {
  NEXT(open)
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = (mode_t)va_arg(more, int);
    va_end(more);
  }
  const int changes = (flags & (O_CREAT | O_TRUNC)) != 0;
  const long number = changes ? enter("open") : 0;
  const int done = next(path, flags, mode);
  leave(number);
  return done;
}
