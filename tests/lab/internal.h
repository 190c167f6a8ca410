// What the lab's own files share, and nobody else uses.
#pragma once

#include <stddef.h>

#define LAB_ROOT "/run/lab"

// An empty tmpfs on /run, seen only in the lab: nothing is left on disk, and nothing of the host's
// /run is in the way.
void lab_files_mount(void);
void lab_files_unmount(void);

// The nsenter command for the lab itself, as seen from outside.
void lab_enter_options(char *out, size_t size);
