// Any bytes as the include file of a former run. What is accepted can be switched, and then is
// still accepted with the same revision.
#include "controller/core/birdconf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
    if (!promise) {
        abort();
    }
}

// A mutation hardly ever has the right hash: give the text the revision that it asks for.
static struct birdconf *parse_with_right_revision(char *text, size_t length)
{
    char error[ERROR_MAX];
    struct birdconf *conf = birdconf_parse(text, length, error);
    const char *makes = strstr(error, "its text makes ");
    if (conf != NULL || makes == NULL) {
        return conf;
    }
    makes += strlen("its text makes ");
    const char *const starts[] = {"# Revision ", "    description \"popgate "};
    for (size_t i = 0; i < 2; i++) {
        for (char *at = text; (at = strstr(at, starts[i])) != NULL;) {
            at += strlen(starts[i]);
            if (strlen(at) >= 16) {
                memcpy(at, makes, 16);
            }
        }
    }
    return birdconf_parse(text, length, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[ERROR_MAX];
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    struct birdconf *conf = parse_with_right_revision(text, size);
    if (conf != NULL) {
        for (size_t i = 0; i < conf->slot_count; i++) {
            birdconf_set(conf, conf->slots[i].protocol, i % 2 == 0);
        }
        struct birdconf *back = birdconf_parse(conf->text, conf->length, error);
        must(back != NULL && strcmp(back->revision, conf->revision) == 0);
        birdconf_free(back);
    }
    birdconf_free(conf);
    free(text);
    return 0;
}
