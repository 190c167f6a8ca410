// An operator's word to a core, without the changes that would guard and save it.
#pragma once

#include "controller/core/core.h"

// what is the event's text.
static inline void put_intent(struct core *core, size_t service, const struct intent *intent,
                              const char *what, uint64_t now_ns)
{
    core_note_intent(core, service, intent, what, now_ns);
    core_intents_noted(core, now_ns);
}
