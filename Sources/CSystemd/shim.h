// SPDX-License-Identifier: Apache-2.0

// Without this the header would add the place of the call in C, which there is none of.
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
