// A disk that hangs: a file system in a file, which can be frozen, so that whoever writes to it or
// syncs it waits.
#pragma once

#include "tests/lab/lab.h"

struct lab_disk {
    char directory[LAB_PATH_MAX]; // where it is mounted
};

// Mounts one on a directory of the node, whose files are hidden by it; out is static, as it is
// needed when the lab is cleared. False: this host can't.
bool lab_disk_mount(struct lab_node *node, const char *directory, struct lab_disk *out);

// Thaws it when the lab is cleared, ahead of what was made before this call: a process that waits
// for a frozen disk could not end. Call it once such a process runs.
void lab_disk_thaw_at_clear(struct lab_disk *disk);

// False: its kind can't be frozen on this host.
bool lab_disk_freeze(const struct lab_disk *disk);
void lab_disk_thaw(const struct lab_disk *disk);
