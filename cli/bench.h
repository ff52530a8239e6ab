// `millrace bench`: what a broker takes from an open-loop producer to a consumer, in percentiles.
#pragma once

#include "cli/command.h"

namespace millrace::cli {

extern const Command kBenchCommand;

}  // namespace millrace::cli
