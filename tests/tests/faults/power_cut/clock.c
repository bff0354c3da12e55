/* A machine's clock that is wrong: preloaded into a process, it shows the time by so many milliseconds later, runs faster or
 * slower by so many thousandths, and jumps once. Only what tells the time of day: how long something takes is as it is. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long milliseconds(const struct timespec *time) {
    return time->tv_sec * 1000LL + time->tv_nsec / 1000000;
}

static long long setting(const char *name) {
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

/* When the process began. */
static long long began;

__attribute__((constructor)) static void begin(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    began = milliseconds(&now);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, clock, time);
    if (failed || clock != CLOCK_REALTIME)
        return failed;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    long long age = milliseconds(&now) - began;
    long long wrong = setting("CLOCK_AHEAD_MS") + age * setting("CLOCK_DRIFT_PER_MILLE") / 1000;
    if (age > setting("CLOCK_JUMP_AFTER_MS"))
        wrong += setting("CLOCK_JUMP_MS");
    long long shown = milliseconds(time) + wrong;
    time->tv_sec = shown / 1000;
    time->tv_nsec = shown % 1000 * 1000000 + time->tv_nsec % 1000000;
    return 0;
}
