// The verbs that change what an operator wants of a service, a row for each. Everything that knows
// a verb reads its row: the API its requests, the changes what stands in its way and what comes
// first, ledger, log and explanation their words, the command `popgate` its options and usage. A
// new verb is a row here. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What may be wanted of a service.
enum intent_kind { INTENT_AUTO, INTENT_DRAIN, INTENT_ISOLATE, INTENT_PIN };
#define INTENT_KINDS (INTENT_PIN + 1)

const char *intent_name(enum intent_kind kind); // "auto", "drain", "isolate", "pin"

// What a request says, as members of its JSON body and, but for the names of services, as options
// of the command: {"services": ["dns"], "for": "10m"} is `dns --for 10m`.
enum field {
    FIELD_SERVICES,
    FIELD_ALL,
    FIELD_REASON,
    FIELD_BY,
    FIELD_FOR,
    FIELD_GRACE,
    FIELD_NOW,
    FIELD_FORCE,
    FIELDS,
};

enum field_kind { FIELD_NAMES, FIELD_FLAG, FIELD_TEXT, FIELD_TIME };

// The longest reason and name of whom it is for, with their NUL.
#define INTENT_REASON_MAX 200
#define INTENT_CLAIM_MAX  48

struct field_row {
    const char *name;
    enum field_kind kind;
    unsigned instead_of; // bits of fields before it in the table that it excludes
    bool not_zero;       // of FIELD_TIME
    uint64_t most;       // ms of FIELD_TIME, bytes of FIELD_TEXT; 0: no bound
    const char *without; // of FIELD_TEXT: may not be in it, nor control characters; NULL: all may
};

#define FIELD_BIT(field) (1U << (field))

extern const struct field_row field_rows[FIELDS];

enum verb { VERB_DRAIN, VERB_UNDRAIN, VERB_ISOLATE, VERB_RELEASE, VERB_PIN, VERB_UNPIN, VERBS };

struct verb_row {
    const char *name;
    const char *past; // "drained"
    enum intent_kind sets;
    unsigned fields;           // bits of those that its request may have
    const char *needs[FIELDS]; // why it must have the field; NULL: it need not
    // Why the verb can't be done to a service of that intent, after "is"; NULL: it can.
    const char *hindered[INTENT_KINDS];
    const char *nothing; // what to say when it ends what is not there; NULL: it ends nothing
    bool guarded;        // a planned withdrawal: asks whether another PoP announces the prefixes
    bool at_once;        // applied before it is saved, and stands whatever was asked for before it
};

extern const struct verb_row verb_rows[VERBS];

enum verb verb_named(const char *name); // VERBS: none is called so

// The verb that sets the intent, which is not INTENT_AUTO.
const struct verb_row *verb_setting(enum intent_kind kind);
