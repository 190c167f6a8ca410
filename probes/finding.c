// See finding.h.
#include "probes/finding.h"

#include <stdarg.h>
#include <stdio.h>

void finding_set(struct finding *out, enum verdict_kind kind, const char *code, const char *format,
                 ...)
{
    va_list arguments;
    out->kind = kind;
    snprintf(out->code, sizeof out->code, "%s", code);
    va_start(arguments, format);
    vsnprintf(out->cause, sizeof out->cause, format, arguments);
    va_end(arguments);
}

void finding_error(struct finding *out, int error, const char *attempted)
{
    bool ours = probe_error_is_ours(error);
    finding_set(out, ours ? VERDICT_UNKNOWN : VERDICT_FAIL, probe_error_code(error), "%s: %s%s",
                attempted, uv_strerror(error), ours ? " (trouble of popgated's own)" : "");
}
