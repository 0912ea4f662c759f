/* Makes the machine fail: loaded before the C library (LD_PRELOAD) of a process under test.
 *
 *   FAULT_AT=N       the fault comes with the N-th call that changes files below FAULT_BELOW, counted from 1
 *   FAULT_KIND       kill: SIGKILL before or after the call (by FAULT_AFTER=1), as a power cut of the process
 *                    full: from then on the disk is full for FAULT_CALLS calls: writing, making and syncing fail
 *                    slow: each call takes 20 ms for FAULT_CALLS calls
 *   FAULT_BELOW=DIR  which files count
 *   FAULT_LOG=FILE   tells which call it was
 *   FAULT_CLOCK=S    the clock of the wall is S seconds off; after the N-th call it is right again
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;
static long at, length = 1, clock_off;
static char kind, is_after;
static const char *below, *log_file;

__attribute__((constructor)) static void read_settings(void) {
    const char *text;
    at = (text = getenv("FAULT_AT")) ? atol(text) : LONG_MAX;
    length = (text = getenv("FAULT_CALLS")) ? atol(text) : 1;
    clock_off = (text = getenv("FAULT_CLOCK")) ? atol(text) : 0;
    kind = (text = getenv("FAULT_KIND")) ? text[0] : 0;
    is_after = getenv("FAULT_AFTER") != NULL;
    below = getenv("FAULT_BELOW");
    log_file = getenv("FAULT_LOG");
}

#define REAL(name) ((__typeof__(&name))real(#name, &real_##name))
static void *real(const char *name, void **known) {
    if (!*known) *known = dlsym(RTLD_NEXT, name);
    return *known;
}

static int counts(const char *path) {
    return below && path && strncmp(path, below, strlen(below)) == 0;
}

static int counts_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return counts(path);
}

static void tell(const char *call, const char *path, long number) {
    if (!log_file) return;
    char line[PATH_MAX + 128];
    int n = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0) return;
    (void)!syscall(SYS_write, fd, line, n);
    close(fd);
}

/* What happens before a call that counts: 0 to go on, ENOSPC to fail. */
static int before(const char *call, const char *path, long *number) {
    *number = atomic_fetch_add(&calls, 1) + 1;
    if (*number < at || *number >= at + length) return 0;
    if (*number == at) tell(call, path, *number);
    if (kind == 'k' && !is_after) raise(SIGKILL);
    if (kind == 's') usleep(20000);
    return kind == 'f' ? ENOSPC : 0;
}

static void after(long number) {
    if (number == at && kind == 'k' && is_after) raise(SIGKILL);
}

/* One call: what it is named, the file that it changes and whether that counts. */
#define FAULT(call, path, is_counted, result, invocation)                       \
    if (!(is_counted)) return invocation;                                       \
    long number;                                                                \
    int failure = before(call, path, &number);                                  \
    if (failure) { errno = failure; return -1; }                                \
    result = invocation;                                                        \
    after(number);                                                              \
    return result

#define FAULT_PATH(call, path, result, invocation) FAULT(call, path, counts(path), result, invocation)

#define FAULT_FD(call, fd, result, invocation)                                  \
    char path[PATH_MAX];                                                        \
    FAULT(call, path, counts_fd(fd, path), result, invocation)

static void *real_fsync, *real_fdatasync, *real_write, *real_pwrite, *real_pwrite64, *real_writev, *real_rename, *real_link,
    *real_linkat, *real_unlink, *real_mkdir, *real_open, *real_open64, *real_clock_gettime;

int fsync(int fd) { int r; FAULT_FD("fsync", fd, r, REAL(fsync)(fd)); }
int fdatasync(int fd) { int r; FAULT_FD("fdatasync", fd, r, REAL(fdatasync)(fd)); }
ssize_t write(int fd, const void *b, size_t n) { ssize_t r; FAULT_FD("write", fd, r, REAL(write)(fd, b, n)); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { ssize_t r; FAULT_FD("pwrite", fd, r, REAL(pwrite)(fd, b, n, o)); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { ssize_t r; FAULT_FD("pwrite64", fd, r, REAL(pwrite64)(fd, b, n, o)); }
ssize_t writev(int fd, const struct iovec *v, int n) { ssize_t r; FAULT_FD("writev", fd, r, REAL(writev)(fd, v, n)); }
int rename(const char *a, const char *b) { int r; FAULT_PATH("rename", b, r, REAL(rename)(a, b)); }
int link(const char *a, const char *b) { int r; FAULT_PATH("link", b, r, REAL(link)(a, b)); }
int linkat(int d, const char *a, int e, const char *b, int f) { int r; FAULT_PATH("linkat", b, r, REAL(linkat)(d, a, e, b, f)); }
int unlink(const char *a) {
    /* Room is made even where there is none. */
    if (kind == 'f') return REAL(unlink)(a);
    int r;
    FAULT_PATH("unlink", a, r, REAL(unlink)(a));
}
int mkdir(const char *a, mode_t m) { int r; FAULT_PATH("mkdir", a, r, REAL(mkdir)(a, m)); }

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        mode_t mode = 0;                                                        \
        if (flags & O_CREAT) {                                                  \
            va_list list;                                                       \
            va_start(list, flags);                                              \
            mode = va_arg(list, mode_t);                                        \
            va_end(list);                                                       \
        }                                                                       \
        int result;                                                             \
        FAULT("open", path, (flags & O_CREAT) && counts(path), result, REAL(name)(path, flags, mode)); \
    }
OPEN(open)
OPEN(open64)

int clock_gettime(clockid_t id, struct timespec *now) {
    int r = REAL(clock_gettime)(id, now);
    if (id == CLOCK_REALTIME && atomic_load(&calls) < at) now->tv_sec += clock_off;
    return r;
}
