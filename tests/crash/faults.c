/* Between a process and its kernel: counts, fails, tears and records what it does to the files below
 * one directory. Loaded with LD_PRELOAD, told what to do by `faults_arm`.
 *
 * A step is one call that changes what is on the disk: create, write, truncate, sync, rename, link,
 * unlink. At the step whose number is `at` (from 1):
 *
 *     'k' die before it            't' write half of it, then die (other steps: die before it)
 *     's' write half of it         'e' fail with `error`
 *
 * Every step is appended to the record, if there is one, as
 *     kind(1) result(8) offset(8) path-length(4) data-length(8) path data
 * after it has succeeded, so that a test can build what a power cut would have left.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static long at = 0, taken = 0, most = 1;
static char act = 0, only = 0;
static int error_number = 0, record = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* `kind_only`: count only steps of this kind (0: all). `times`: how many steps from `at` on fail. */
void faults_arm(const char *directory, long step, char action, char kind_only, int error, long times,
                const char *record_path) {
    snprintf(below, sizeof below, "%s", directory);
    taken = 0;
    at = step;
    act = action;
    only = kind_only;
    error_number = error;
    most = times;
    record = *record_path ? REAL(open)(record_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

long faults_taken(void) { return taken; }

static int concerns(const char *path) {
    return *below && strncmp(path, below, strlen(below)) == 0;
}

static int absolute(int directory, const char *path, char *out) {
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return 1;
    }
    char start[PATH_MAX] = "";
    if (directory == AT_FDCWD) {
        if (!getcwd(start, sizeof start)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, start, sizeof start - 1);
        if (length < 0) return 0;
        start[length] = 0;
    }
    if (strlen(start) + strlen(path) + 2 > PATH_MAX) return 0;
    strcpy(out, start);
    strcat(out, "/");
    strcat(out, path);
    return 1;
}

static int path_of(int descriptor, char *out) {
    char link[64];
    if (!*below) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length < 0) return 0;
    out[length] = 0;
    return concerns(out);
}

/* 0: go on; 's' and 't': do half of it; 'e': errno is set, fail. Does not return from 'k'. */
static char step(char kind) {
    pthread_mutex_lock(&lock);
    char answer = 0;
    if (!only || only == kind) {
        taken++;
        if (at && taken >= at && taken < at + most) answer = act;
    }
    pthread_mutex_unlock(&lock);
    if (answer == 'k' || (answer == 't' && kind != 'w')) raise(SIGKILL);
    if (answer == 's' && kind != 'w') answer = 0;
    if (answer == 'e') errno = error_number;
    return answer;
}

static void note(char kind, int64_t result, int64_t offset, const char *path, const void *data, uint64_t size) {
    if (record < 0) return;
    uint32_t length = strlen(path);
    struct iovec parts[] = {
        {&kind, 1}, {&result, 8}, {&offset, 8}, {&length, 4}, {&size, 8}, {(void *)path, length}, {(void *)data, size},
    };
    pthread_mutex_lock(&lock);
    if (REAL(writev)(record, parts, 7) < 0) abort();
    pthread_mutex_unlock(&lock);
}

/* What the process has told the world, in its place among the steps. */
void faults_tell(const char *words) { note('a', 0, 0, "", words, strlen(words)); }

#define SAVED(call) ({ int saved = errno; call; errno = saved; })

/* --- Creating ----------------------------------------------------------------------------------- */

static int opened(int directory, const char *path, int flags, mode_t mode) {
    static int (*real)(int, const char *, int, ...);
    char full[PATH_MAX];
    if (!real) real = REAL(openat);
    int creates = (flags & O_CREAT) && *below && absolute(directory, path, full) && concerns(full) &&
                  access(full, F_OK) != 0;
    if (creates && step('c')) return -1;
    int descriptor = real(directory, path, flags, mode);
    if (creates && descriptor >= 0) SAVED(note('c', 0, 0, full, "", 0));
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE(flags) return opened(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE(flags) return opened(directory, path, flags, mode); }

/* --- Writing ------------------------------------------------------------------------------------ */

static ssize_t written(int descriptor, const void *octets, size_t count, off64_t offset, int positioned) {
    char path[PATH_MAX];
    if (!path_of(descriptor, path))
        return positioned ? REAL(pwrite64)(descriptor, octets, count, offset) : REAL(write)(descriptor, octets, count);
    char answer = step('w');
    if (answer == 'e') return -1;
    if (answer && count > 1) count /= 2;
    if (!positioned) offset = lseek64(descriptor, 0, SEEK_CUR);
    ssize_t done = positioned ? REAL(pwrite64)(descriptor, octets, count, offset) : REAL(write)(descriptor, octets, count);
    if (done >= 0) SAVED(note('w', done, offset, path, octets, done));
    if (answer == 't') raise(SIGKILL);
    return done;
}

ssize_t write(int descriptor, const void *octets, size_t count) { return written(descriptor, octets, count, 0, 0); }
ssize_t pwrite(int descriptor, const void *octets, size_t count, off_t offset) { return written(descriptor, octets, count, offset, 1); }
ssize_t pwrite64(int descriptor, const void *octets, size_t count, off64_t offset) { return written(descriptor, octets, count, offset, 1); }

static int truncated(int descriptor, off64_t size) {
    char path[PATH_MAX];
    int ours = path_of(descriptor, path);
    if (ours && step('z')) return -1;
    int result = REAL(ftruncate64)(descriptor, size);
    if (ours && result == 0) note('z', 0, size, path, "", 0);
    return result;
}

int ftruncate(int descriptor, off_t size) { return truncated(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return truncated(descriptor, size); }

static int synced(int descriptor, int (*real)(int)) {
    char path[PATH_MAX];
    int ours = path_of(descriptor, path);
    if (ours && step('f')) return -1;
    int result = real(descriptor);
    if (ours && result == 0) note('f', 0, 0, path, "", 0);
    return result;
}

int fsync(int descriptor) { return synced(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return synced(descriptor, REAL(fdatasync)); }

/* --- Names -------------------------------------------------------------------------------------- */

static int named(char kind, int (*real)(const char *, const char *), const char *old, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    int ours = *below && absolute(AT_FDCWD, old, from) && absolute(AT_FDCWD, new, to) && concerns(to);
    if (ours && step(kind)) return -1;
    int result = real(old, new);
    if (ours && result == 0) note(kind, 0, 0, from, to, strlen(to));
    return result;
}

int rename(const char *old, const char *new) { return named('r', REAL(rename), old, new); }
int link(const char *old, const char *new) { return named('l', REAL(link), old, new); }

int unlink(const char *path) {
    char full[PATH_MAX];
    int ours = *below && absolute(AT_FDCWD, path, full) && concerns(full) && access(full, F_OK) == 0;
    if (ours && step('u')) return -1;
    int result = REAL(unlink)(path);
    if (ours && result == 0) note('u', 0, 0, full, "", 0);
    return result;
}
