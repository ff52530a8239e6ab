// Mailboxes: one single-producer, single-consumer ring of pointers for each ordered pair of shards.
#pragma once

namespace millrace::io {

// A message owns what it carries, or lives in the frame of a coroutine that waits for its return. run() is called once, on the
// receiving shard.
class Message {
 public:
  virtual ~Message() = default;
  virtual void run() = 0;
};

}  // namespace millrace::io
