/* A disk that fails when it is told to, for `tests/src/disk.rs`, which compiles it and preloads it into the real programs.
 *
 * It stands between a program and the files below WAYSIDE_DISK_DIR. WAYSIDE_DISK_CONTROL is four numbers: what is to go wrong,
 * after how many more calls, and how often it did. WAYSIDE_DISK_JOURNAL gets all that was written, in order, and where it was
 * made to stay, so that the other side can work out what a power cut would have left. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FINE, FULL, FAILS, SHORT, NO_SYNC, LIES, READ_ONLY, DIES };
enum { WRITE = 1, SYNC, TRUNCATE, UNLINK, RENAME };

struct control {
    _Atomic uint32_t kind, after, hits, unused;
};

static struct control *control;
static const char *dir;
static size_t dir_len;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_open = dlsym(RTLD_NEXT, "open64");
    const char *file = getenv("WAYSIDE_DISK_CONTROL"), *notes = getenv("WAYSIDE_DISK_JOURNAL");
    dir = getenv("WAYSIDE_DISK_DIR");
    if (!dir || !file || !notes) return;
    dir_len = strlen(dir);
    int fd = real_open(file, O_RDWR | O_CLOEXEC);
    journal = real_open(notes, O_WRONLY | O_APPEND | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (journal < 0 || at == MAP_FAILED) _exit(97);
    close(fd);
    control = at;
}

/* Its name below the directory, "" for the directory itself; NULL if it lies elsewhere. */
static const char *below(const char *path) {
    if (!control || strncmp(path, dir, dir_len) != 0) return NULL;
    if (path[dir_len] == '\0') return path + dir_len;
    return path[dir_len] == '/' ? path + dir_len + 1 : NULL;
}

static const char *name_of(int fd, char path[PATH_MAX]) {
    char link[40];
    if (!control) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    if (len <= 0) return NULL;
    path[len] = '\0';
    return below(path);
}

/* Shared memory is no file on a disk. */
static int is_memory(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "-shm") == 0;
}

static void note(uint32_t what, const char *name, uint64_t at, const void *data, uint64_t len) {
    if (is_memory(name)) return;
    struct { uint32_t what, name; uint64_t at, len; } head = {what, (uint32_t)strlen(name), at, len};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)data, len}};
    if (writev(journal, parts, 3) != (ssize_t)(sizeof head + head.name + len)) _exit(98);
}

/* What goes wrong with this call, which is one of those meant by `kinds`. */
static uint32_t struck(uint32_t kinds) {
    uint32_t kind = atomic_load(&control->kind), after = atomic_load(&control->after);
    if (!(kinds & 1u << kind)) return FINE;
    while (after > 0)
        if (atomic_compare_exchange_weak(&control->after, &after, after - 1)) return FINE;
    atomic_fetch_add(&control->hits, 1);
    return kind;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int failed(int error) {
    errno = error;
    return -1;
}

static ssize_t pass(int fd, const char *name, const void *bytes, size_t count, off_t at, int placed) {
    note(WRITE, name, (uint64_t)at, bytes, count);
    return placed ? real_pwrite(fd, bytes, count, at) : real_write(fd, bytes, count);
}

static ssize_t put(int fd, const void *bytes, size_t count, off_t at, int placed) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) return placed ? real_pwrite(fd, bytes, count, at) : real_write(fd, bytes, count);
    pthread_mutex_lock(&lock);
    if (!placed) at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done;
    switch (struck(1u << FULL | 1u << FAILS | 1u << SHORT | 1u << READ_ONLY | 1u << DIES)) {
    case FULL: done = failed(ENOSPC); break;
    case FAILS: done = failed(EIO); break;
    case READ_ONLY: done = failed(EROFS); break;
    case SHORT: done = count < 64 ? failed(ENOSPC) : pass(fd, name, bytes, count / 2, at, placed); break;
    case DIES:
        pass(fd, name, bytes, count / 2, at, placed);
        die();
        /* fall through */
    default: done = pass(fd, name, bytes, count, at, placed);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) { return put(fd, bytes, count, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return put(fd, bytes, count, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return put(fd, bytes, count, at, 1); }

static int stay(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) return real(fd);
    pthread_mutex_lock(&lock);
    int done;
    switch (struck(1u << NO_SYNC | 1u << LIES | 1u << DIES)) {
    case NO_SYNC: done = failed(EIO); break;
    case LIES: done = 0; break;
    case DIES: die(); /* fall through */
    default:
        done = real(fd);
        if (done == 0) note(SYNC, name, 0, "", 0);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int fsync(int fd) { return stay(fd, real_fsync); }
int fdatasync(int fd) { return stay(fd, real_fdatasync); }

static int cut(int fd, off_t len) {
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) return real_ftruncate(fd, len);
    pthread_mutex_lock(&lock);
    uint32_t kind = struck(1u << FAILS | 1u << READ_ONLY | 1u << DIES);
    if (kind == DIES) die();
    int done = kind == FINE ? real_ftruncate(fd, len) : failed(kind == FAILS ? EIO : EROFS);
    if (done == 0) note(TRUNCATE, name, (uint64_t)len, "", 0);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate(int fd, off_t len) { return cut(fd, len); }
int ftruncate64(int fd, off64_t len) { return cut(fd, len); }

int unlink(const char *path) {
    const char *name = below(path);
    if (!name) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int done = struck(1u << READ_ONLY) ? failed(EROFS) : real_unlink(path);
    if (done == 0) note(UNLINK, name, 0, "", 0);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int rename(const char *from, const char *to) {
    const char *name = below(from), *next = below(to);
    if (!name || !next) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int done = struck(1u << READ_ONLY) ? failed(EROFS) : real_rename(from, to);
    if (done == 0) note(RENAME, name, 0, next, strlen(next));
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

static int open_if_allowed(const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (writes && below(path) && struck(1u << READ_ONLY)) return failed(EROFS);
    return real_open(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_if_allowed(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_if_allowed(path, flags, mode);
}
