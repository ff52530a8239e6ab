// Ctrl-C and SIGTERM, for commands that run until they are told to stop.
#pragma once

namespace millrace::cli {

// From now on the first of the two signals only sets what interrupted() tells; the second ends the
// process.
void catch_interrupts();
bool interrupted();

}  // namespace millrace::cli
