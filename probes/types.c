// See types.h.
#include "probes/types.h"

#include <string.h>

const struct probe_type *const probe_types[] = {
    &probe_type_dns,     &probe_type_tcp,   &probe_type_tls,
    &probe_type_http,    &probe_type_token, &probe_type_exec,
    &probe_type_address, &probe_type_clock, NULL,
};

const struct probe_type *probe_type_find(const char *name)
{
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        if (strcmp(probe_types[i]->name, name) == 0) {
            return probe_types[i];
        }
    }
    return NULL;
}
