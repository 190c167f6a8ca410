// The answer of /v1/services/NAME: the chain from probes to sessions.
#include "controller/cli/show_parts.h"

#include <inttypes.h>
#include <string.h>

enum { AGE_SHOWN_MS = 5000 };
enum { LABEL = 10 }; // where the text after a label begins

static void explain_probes(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    size_t i;
    json_t *probe;
    json_array_foreach(at(answer, "probes"), i, probe)
    {
        char text[SHOW_TEXT_MAX / 2];
        char age[AGE_TEXT_MAX];
        const char *name = words(probe, "name");
        const char *how = show_need(service, name);
        show_verdict(probe, text, sizeof text);
        show_labelled(show, LABEL, i == 0 ? "probes" : "", "%s (%s) is %s%s for %s; last: %s", name,
                      how != NULL ? how : "of a service that it depends on", words(probe, "health"),
                      yes(probe, "blind") ? " (it can't look now)" : "",
                      show_age(number(probe, "age_ms"), age), text);
    }
}

static void explain_gate(const struct show *show, const json_t *service)
{
    const json_t *gate = at(service, "gate");
    const char *probe = words(gate, "probe");
    const char *other = words(gate, "service");
    const char *blind = words(gate, "held_by");
    show_labelled(show, LABEL, "gate", "%s%s%s%s%s%s%s%s", words(gate, "state"),
                  probe[0] != '\0' ? ", because of probe " : "", probe,
                  other[0] != '\0' ? ", through service " : "", other,
                  blind[0] != '\0' ? "; held as last known, probe " : "", blind,
                  blind[0] != '\0' ? " can't look now" : "");
}

static void explain_decision(const struct show *show, const json_t *service)
{
    char age[AGE_TEXT_MAX];
    char left[AGE_TEXT_MAX];
    uint64_t hold_ms = number(service, "hold_down_left_ms");
    show_labelled(show, LABEL, "decision", "%s for %s, cause %s; by health alone at %s%s%s%s",
                  words(service, "target"), show_age(number(service, "age_ms"), age),
                  words(service, "cause"), words(service, "allowed"),
                  hold_ms > 0 ? ", better in " : "", hold_ms > 0 ? show_age(hold_ms, left) : "",
                  hold_ms > 0 ? " (hold-down)" : "");
}

static void explain_intent(const struct show *show, const json_t *service)
{
    const json_t *intent = at(service, "intent");
    char age[AGE_TEXT_MAX];
    char left[AGE_TEXT_MAX];
    char grace[AGE_TEXT_MAX];
    uint64_t grace_ms = number(intent, "grace_left_ms");
    if (strcmp(words(intent, "kind"), "auto") == 0) {
        show_labelled(show, LABEL, "intent", "auto: nobody overrules the probes");
        return;
    }
    bool ends = at(intent, "left_ms") != NULL;
    show_labelled(show, LABEL, "intent", "%s by %s, %s ago%s%s%s%s%s%s", words(intent, "kind"),
                  words(intent, "by"), show_age(number(intent, "age_ms"), age),
                  words(intent, "reason")[0] != '\0' ? ": " : "", words(intent, "reason"),
                  ends ? "; ends in " : "", ends ? show_age(number(intent, "left_ms"), left) : "",
                  grace_ms > 0 ? "; withdrawn in " : "",
                  grace_ms > 0 ? show_age(grace_ms, grace) : "");
}

static void explain_bird(const struct show *show, const json_t *service)
{
    char text[SHOW_TEXT_MAX] = "";
    size_t used = 0;
    const char *name;
    json_t *state;
    json_object_foreach((json_t *)at(service, "protocols"), name, state)
    {
        const char *word = json_string_value(state);
        int more = snprintf(text + used, sizeof text - used, "%s%s %s", used > 0 ? ", " : "", name,
                            word != NULL ? word : "");
        used = used + (size_t)more < sizeof text ? used + (size_t)more : sizeof text - 1;
    }
    show_labelled(show, LABEL, "BIRD", "%s%s", text,
                  yes(service, "lacks_protocol")
                      ? "; it has not loaded the include file's protocols"
                  : yes(service, "settled") ? ""
                                            : "; commands are under way");
}

static void explain_sessions(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    uint64_t all = number(at(answer, "bird"), "established");
    size_t i;
    json_t *prefix;
    json_array_foreach(at(service, "prefixes"), i, prefix)
    {
        const char *label = i == 0 ? "sessions" : "";
        const char *condition = words(prefix, "condition");
        const char *lacking = words(prefix, "lacking");
        char age[AGE_TEXT_MAX];
        bool aged = number(prefix, "seen_age_ms") > AGE_SHOWN_MS;
        // What was seen long ago, or by a BIRD that is not to be had, is not as meant now.
        bool as_meant = strcmp(condition, "as-meant") == 0;
        show_labelled(show, LABEL, label,
                      "%s is seen on %" PRIu64 " of %" PRIu64 " sessions%s%s%s%s%s%s%s%s",
                      words(prefix, "prefix"), number(prefix, "sessions"), all,
                      as_meant && yes(service, "seen") ? ", as meant" : "",
                      lacking[0] != '\0' ? ", but not on " : "", lacking,
                      number(prefix, "sessions_uncarried") > 0
                          ? "; some have no channel for its address family"
                          : "",
                      number(prefix, "sessions_unknown") > 0 ? "; some are not looked up yet" : "",
                      aged ? "; last looked up " : "",
                      aged ? show_age(number(prefix, "seen_age_ms"), age) : "", aged ? " ago" : "");
        if (!as_meant) {
            show_odd_prefix(show, LABEL, prefix);
        }
    }
}

void show_explain(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    char age[AGE_TEXT_MAX];
    show_problems(show, answer, NULL, 0);
    char text[SHOW_TEXT_MAX];
    snprintf(text, sizeof text, "%s: %s for %s, %s: %s", words(service, "name"),
             words(service, "target"), show_age(number(service, "age_ms"), age),
             yes(service, "seen") ? "and seen to be so" : "not yet seen to be so",
             words(service, "why"));
    show_wrap(show, 2, text);
    fputc('\n', show->out);
    explain_probes(show, answer);
    explain_gate(show, service);
    explain_intent(show, service);
    explain_decision(show, service);
    explain_bird(show, service);
    explain_sessions(show, answer);
    fputs("\nevents, newest last:\n", show->out);
    show_event_lines(show, at(answer, "events"));
}
