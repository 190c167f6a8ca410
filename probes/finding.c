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
