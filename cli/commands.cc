#include <array>

#include "cli/command.h"
#include "cli/consume.h"
#include "cli/produce.h"

namespace millrace::cli {

std::span<const Command> client_commands() {
  static const std::array kCommands = {kProduceCommand, kConsumeCommand};
  return kCommands;
}

}  // namespace millrace::cli
