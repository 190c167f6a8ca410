// What the service manager is told (sd_notify(3)), by one datagram each, and never waiting for it:
// a manager that does not read just now must not hold up a withdrawal. What it could not be told is
// told at the next opportunity, as far as it still holds.
#pragma once

// Our state: "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1". The newest counts.
void notify_state(const char *text);

void notify_status(const char *line); // one line for people; the newest counts
void notify_watchdog(void);           // that is of no worth later

// Tells what could not be told before. Now and then, while the loop runs.
void notify_again(void);
