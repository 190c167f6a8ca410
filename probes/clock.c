// The `clock` probe: the kernel says that its clock is synchronised, and within `max_offset`.
// Tokens and certificates are only as good as the clock that judges them.
#include "probes/clock.h"
#include "probes/probe.h"
#include "probes/types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct clock_options {
    uint64_t max_offset_ms;
};

static const struct key clock_keys[] = {
    {.name = "max_offset",
     .kind = KEY_DURATION,
     .offset = offsetof(struct clock_options, max_offset_ms),
     .min = 1,
     .max = 16000,
     .fallback = "100ms"},
    KEY_END,
};

void clock_judge(int state, const struct timex *time, uint64_t max_offset_ms, struct verdict *out)
{
    double offset_ms = (double)time->offset / (time->status & STA_NANO ? 1e6 : 1e3);
    double estimated_ms = (double)time->esterror / 1e3;
    double off_ms = offset_ms < 0 ? -offset_ms : offset_ms;
    off_ms = off_ms > estimated_ms ? off_ms : estimated_ms;
    bool unsynchronised = state == TIME_ERROR || (time->status & STA_UNSYNC);
    bool over = off_ms > (double)max_offset_ms;
    out->kind = unsynchronised || over ? VERDICT_FAIL : VERDICT_PASS;
    snprintf(out->code, sizeof out->code, "%s",
             unsynchronised ? "unsynchronised"
             : over         ? "offset"
                            : "ok");
    if (unsynchronised) {
        snprintf(out->cause, sizeof out->cause,
                 "the kernel's clock is not synchronised: is chrony, ntpd or systemd-timesyncd "
                 "running, and does it reach its servers?");
        return;
    }
    snprintf(out->cause, sizeof out->cause,
             "the clock is synchronised, %soff by %.3fms at most (offset %+.3fms, estimated error "
             "%.3fms), max_offset %" PRIu64 "ms",
             over ? "but " : "", off_ms, offset_ms, estimated_ms, max_offset_ms);
}

static void clock_start(struct probe *probe)
{
    const struct clock_options *options = probe_conf(probe)->options;
    struct timex time = {.modes = 0};
    struct verdict verdict;
    int state = adjtimex(&time);
    if (state < 0) {
        int error = uv_translate_sys_error(errno);
        probe_error(probe, error, "read the kernel's clock state (adjtimex)");
        return;
    }
    clock_judge(state, &time, options->max_offset_ms, &verdict);
    probe_verdict(probe, verdict.kind, verdict.code, "%s", verdict.cause);
}

// Never called: a check ends as it begins.
static struct awaited clock_cancel(struct probe *probe)
{
    (void)probe;
    return (struct awaited){"the kernel's clock state", ALL_ITS_TIME};
}

const struct probe_type probe_type_clock = {
    .name = "clock",
    .keys = clock_keys,
    .options_size = sizeof(struct clock_options),
    .start = clock_start,
    .cancel = clock_cancel,
    .local = true,
};
