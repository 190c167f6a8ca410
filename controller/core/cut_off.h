// Services that are cut off by being announced: BIRD gives popgate's own route to the kernel, where
// it takes the place of the one that leads to the service; its probe fails, the withdrawal cures
// that, and so on for ever. Pure.
//
// Nothing is held on a guess. What has to be seen, by one probe that the gate needs and whose
// target lies in a prefix of the service:
//   1. soon after the announcement it fails, and the kernel's way to its target is a blackhole: the
//      service is withdrawn for that, and suspected;
//   2. the withdrawal cures it: it passes, and its way is a route again that ours takes the place
//   of.
// Then the service stays withdrawn, until the probe passes by another way, or an operator says so.
// The kernel is asked at such verdicts only: never in normal running, nor when what was announced
// for long dies, or crashes.
#pragma once

#include "controller/core/way.h"

#include "probes/conf.h"
#include "probes/verdict.h"

#include <stddef.h>

enum cut_off_state { CUT_OFF_NOT, CUT_OFF_SUSPECTED, CUT_OFF_HELD };

struct cut_off {
    enum cut_off_state state;
    size_t probe;      // that saw it
    uint64_t since_ms; // of the state
};

// The probe failed so long after the announcement: is it worth asking?
bool cut_off_is_soon(const struct probe_conf *probe, uint64_t announced_ms);

// The probe that is suspected or held, and not failing, was found to be reached by this way;
// prefix: the service's, in which its target lies; announced: at present. Held, held_by is that
// way. Returns whether it is, or was, held, and is not, or was not.
bool cut_off_judge(struct cut_off *cut_off, const struct probe_conf *probe, const struct way *way,
                   const struct prefix *prefix, bool announced, uint64_t now_ms,
                   struct way *held_by);
