// How something that an operator asked for ended. Only the API knows what HTTP makes of it.
#pragma once

enum outcome {
    OUTCOME_WAITS,       // it has not ended yet
    OUTCOME_DONE,        // applied, and safe on disk
    OUTCOME_UNCONFIRMED, // the same, but BIRD has not said that it is so
    OUTCOME_PARTLY,      // the same, but for some services, where another intent stands
    OUTCOME_NOTHING,     // there was nothing to change
    OUTCOME_REFUSED,     // by the guard
    OUTCOME_UNSEEN,      // BIRD did not say what the guard has to know
    OUTCOME_HINDERED,    // another intent stands
    OUTCOME_UNSAFE,      // it could not be made safe on disk
    OUTCOME_INVALID,     // the new configuration can't be used
    OUTCOME_BUSY,        // too much of the kind is under way
    OUTCOME_STOPPING,    // popgated stops
    OUTCOME_NO_MEMORY,   // popgated's own trouble
};
#define OUTCOMES (OUTCOME_NO_MEMORY + 1)
