// A running probe, as the probe types see it (probes/conf.h says what a type is). Nothing that a
// type does on the loop touches a file, or takes as long as somebody else likes: see
// probes/aside.h; tests/unit/test_loop_free.c sees to it.
#pragma once

#include "probes/conf.h"
#include "probes/verdict.h"

#include <time.h>
#include <uv.h>

const struct probe_conf *probe_conf(const struct probe *probe);
void *probe_state(struct probe *probe);
uv_loop_t *probe_loop(const struct probe *probe);

// The check's verdict; cause is a printf format. The scheduler adds time, duration and
// `max_latency`.
__attribute__((format(printf, 4, 5))) void probe_verdict(struct probe *probe,
                                                         enum verdict_kind kind, const char *code,
                                                         const char *cause, ...);

// A certificate was seen that is valid until then; status shows it.
void probe_not_after(struct probe *probe, time_t not_after);

// As probe_verdict() for a negative uv error, as finding_error() words and sorts it.
void probe_error(struct probe *probe, int error, const char *attempted);

// Before the verdict: as struct awaited has it.
void probe_waited_for_ourselves(struct probe *probe, uint64_t ns);

// All handles of its type are gone, see struct probe_type.
void probe_closed(struct probe *probe);

// Outside of a check: something happened to the target (a held connection ended), check it now.
void probe_trigger(struct probe *probe);
