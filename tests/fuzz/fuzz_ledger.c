// Whatever stands in the ledger's file: it is damaged and gives nothing, or it is sound and comes
// back the same when written again.
#include "controller/core/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS UINT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct ledger_entry *entry)
{
    const struct intent *intent = &entry->intent;
    assert(entry->service[0] != '\0');
    assert(intent->kind == INTENT_DRAIN || intent->kind == INTENT_ISOLATE ||
           intent->kind == INTENT_PIN);
    assert(intent->kind != INTENT_PIN || intent->until_wall_ms != 0);
    assert(intent->kind != INTENT_ISOLATE || intent->until_wall_ms == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger ledger = {0};
    struct ledger again = {0};
    char message[ERROR_MAX] = "";
    if (!ledger_parse((const char *)data, size, &ledger, message)) {
        assert(ledger.count == 0 && ledger.entries == NULL);
        assert(message[0] != '\0');
        return 0;
    }
    char *text = ledger_text(&ledger);
    assert(text != NULL);
    assert(ledger_parse(text, strlen(text), &again, message));
    assert(again.count == ledger.count);
    for (size_t i = 0; i < ledger.count; i++) {
        struct intent intent = ledger.entries[i].intent;
        check_entry(&ledger.entries[i]);
        assert(ledger_find(&ledger, ledger.entries[i].service) == &ledger.entries[i]);
        assert(strcmp(again.entries[i].service, ledger.entries[i].service) == 0);
        assert(again.entries[i].intent.since_wall_ms == intent.since_wall_ms);
        intent_from_wall(&intent, 1000000, WALL_MS);
        assert(intent_age_ms(&intent, 1000000) <= WALL_MS); // since when may be before the boot
    }
    free(text);
    ledger_clear(&ledger);
    ledger_clear(&again);
    return 0;
}
