// The fail-safe, for when the daemon can't be restarted: switches off every protocol of ours in
// BIRD, and in the include file, so that a restarting BIRD stays withdrawn.
#pragma once

// Returns the exit status: 0 only if BIRD showed all of them down, after the file said so too.
int failsafe_withdraw_all(const char *config_path);

// The same, but only where a popgated ended without having stopped (attended.h), and none answers
// within 3 seconds: whoever should have started it again was told not to. Else nothing is done: 0.
int failsafe_withdraw_unattended(const char *config_path);
int failsafe_unattended_within(const char *config_path, unsigned answers_ms, unsigned within_ms);

// After each end of the service, with what systemd says of it in the environment (ExecStopPost= in
// systemd.exec(5)). A stop and a planned restart forget the ends before. When restarts at once
// don't help, everything is withdrawn, unless another popgated runs, and the file "restarts" in the
// runtime directory begins with "slow". 1: it could not be told.
int failsafe_ended(const char *config_path);

// failsafe_withdraw_all() with another bound than 5 seconds on how long BIRD is asked, each of two
// times.
int failsafe_withdraw_within(const char *config_path, unsigned within_ms);
