// The fail-safe, for when the daemon can't be restarted: switches off every protocol of ours in
// BIRD, and in the include file, so that a restarting BIRD stays withdrawn.
#pragma once

// Returns the exit status: 0 only if BIRD said that all are off and the file says so too.
int failsafe_withdraw_all(const char *config_path);
