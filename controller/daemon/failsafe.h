// The fail-safe, for when the daemon can't be restarted: switches off every protocol of ours in
// BIRD, and in the include file, so that a restarting BIRD stays withdrawn.
#pragma once

// Returns the exit status: 0 only if BIRD showed all of them down, after the file said so too.
int failsafe_withdraw_all(const char *config_path);

// The same with another bound than 5 seconds on how long BIRD is asked, each of two times.
int failsafe_withdraw_within(const char *config_path, unsigned within_ms);
