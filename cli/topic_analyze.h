// `millrace topic analyze`: rates, batch sizes and codecs of topics, from the headers of batches.
#pragma once

#include "cli/command.h"

namespace CLI {
class App;
}

namespace millrace::cli {

Action define_topic_analyze(CLI::App& app);

}  // namespace millrace::cli
