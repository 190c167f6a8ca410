// See turns.h.
#include "probes/turns.h"

#include "base/clock.h"

#include <time.h>

// A turn counts as long when it was busy, not waiting, for longer than this.
#define LONG_NS (10 * NS_PER_MS)

// Asking for the processor's time is a system call, so it is not asked in each turn: a long turn's
// work may be told as longer by so much.
#define CPU_GRAIN_NS (2 * NS_PER_MS)

uint64_t turns_idle_ns(const struct turns *turns)
{
    return uv_metrics_idle_time(turns->loop);
}

// What this thread has had of the processor.
static uint64_t cpu_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

// Of the turn in progress.
static uint64_t busy_ns(const struct turns *turns, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - turns->begun_ns;
    uint64_t idle_ns = turns_idle_ns(turns) - turns->begun_idle_ns;
    return elapsed_ns > idle_ns ? elapsed_ns - idle_ns : 0;
}

struct turns_long turns_long(const struct turns *turns, uint64_t now_ns)
{
    struct turns_long sum = turns->before;
    uint64_t busy = busy_ns(turns, now_ns);
    if (busy > LONG_NS) {
        uint64_t cpu = cpu_ns() - turns->cpu_ns;
        uint64_t worked = cpu < busy ? cpu : busy;
        sum.worked_ns += worked;
        sum.held_ns += busy - worked;
    }
    return sum;
}

static uint64_t more(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

// The two clocks do not run quite alike, so that what a turn was held may become less by a little.
struct turns_long turns_since(const struct turns *turns, const struct turns_long *then,
                              uint64_t now_ns)
{
    struct turns_long sum = turns_long(turns, now_ns);
    return (struct turns_long){.held_ns = more(sum.held_ns, then->held_ns),
                               .worked_ns = more(sum.worked_ns, then->worked_ns)};
}

static uint64_t longer(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void note_recent(struct turns *turns, uint64_t busy, uint64_t second)
{
    size_t at = second % TURNS_RECENT_S;
    uint64_t before = turns->recent[at].second == second ? turns->recent[at].longest_ns : 0;
    turns->recent[at].second = second;
    turns->recent[at].longest_ns = longer(before, busy);
}

static void note_cpu(struct turns *turns, uint64_t now_ns)
{
    turns->cpu_ns = cpu_ns();
    turns->cpu_at_ns = now_ns;
}

static void on_turn(uv_prepare_t *prepare)
{
    struct turns *turns = prepare->data;
    uint64_t now_ns = uv_hrtime();
    uint64_t busy = busy_ns(turns, now_ns);
    turns->before = turns_long(turns, now_ns);
    if (turns->running) {
        note_recent(turns, busy, now_ns / NS_PER_S);
        turns->longest_ns = longer(turns->longest_ns, busy);
        turns->marked_ns = longer(turns->marked_ns, busy);
    }
    turns->running = true;
    turns->begun_ns = now_ns;
    turns->count++;
    turns->begun_idle_ns = turns_idle_ns(turns);
    if (now_ns - turns->cpu_at_ns >= CPU_GRAIN_NS) {
        note_cpu(turns, now_ns);
    }
}

uint64_t turns_longest_ns(const struct turns *turns)
{
    return turns->longest_ns;
}

uint64_t turns_recent_ns(const struct turns *turns, uint64_t now_ns)
{
    uint64_t longest_ns = 0;
    for (size_t i = 0; i < TURNS_RECENT_S; i++) {
        if (turns->recent[i].second + TURNS_RECENT_S > now_ns / NS_PER_S) {
            longest_ns = longer(longest_ns, turns->recent[i].longest_ns);
        }
    }
    return longest_ns;
}

uint64_t turns_marked_ns(const struct turns *turns)
{
    return turns->marked_ns;
}

void turns_mark(struct turns *turns)
{
    turns->marked_ns = 0;
}

void turns_open(struct turns *turns, uv_loop_t *loop)
{
    turns->loop = loop;
    // libuv keeps account of the time that the loop waits.
    (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &turns->prepare);
    turns->prepare.data = turns;
    turns->begun_ns = uv_hrtime();
    turns->begun_idle_ns = turns_idle_ns(turns);
    note_cpu(turns, turns->begun_ns);
    uv_prepare_start(&turns->prepare, on_turn);
    uv_unref((uv_handle_t *)&turns->prepare);
}

static void on_closed(uv_handle_t *handle)
{
    struct turns *turns = handle->data;
    turns->on_free(turns->owner);
}

void turns_close(struct turns *turns)
{
    uv_close((uv_handle_t *)&turns->prepare, on_closed);
}
