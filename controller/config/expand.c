// See expand.h.
#include "controller/config/expand.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define OPENING "{pop."

// What the name, up to its '}', stands for; NULL after saying why there is nothing.
static const char *find_replacement(const struct config *config, const char *name, size_t length,
                                    char error[ERROR_MAX])
{
    const struct {
        const char *name, *text;
    } known[] = {{"{pop.id}", config->pop.id}, {"{pop.region}", config->pop.region}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) != length || strncmp(known[i].name, name, length) != 0) {
            continue;
        }
        if (known[i].text[0]) {
            return known[i].text;
        }
        snprintf(error, ERROR_MAX, "%s stands for nothing: [pop] does not say it", known[i].name);
        return NULL;
    }
    snprintf(error, ERROR_MAX, "there is {pop.id} and {pop.region}, but no %.*s", (int)length,
             name);
    return NULL;
}

int expand(const struct config *config, const char *value, char out[WORD_MAX],
           char error[ERROR_MAX])
{
    size_t written = 0;
    assert(config && value);
    while (*value) {
        size_t length = 1;
        const char *piece = value;
        size_t piece_length = 1;
        if (strncmp(value, OPENING, strlen(OPENING)) == 0) {
            length = strcspn(value, "}");
            length += value[length] == '}';
            piece = find_replacement(config, value, length, error);
            if (piece == NULL) {
                return -1;
            }
            piece_length = strlen(piece);
        }
        if (written + piece_length >= WORD_MAX) {
            snprintf(error, ERROR_MAX, "longer than %d bytes once {pop...} is replaced",
                     WORD_MAX - 1);
            return -1;
        }
        memcpy(out + written, piece, piece_length);
        written += piece_length;
        value += length;
    }
    out[written] = '\0';
    return 0;
}
