// Response: what goes back for one request: the bytes of its frame, length and header included, and
// between them ranges of files or of shared memory, which are sent from where they are.
//
// Lifetime:  owns its bytes; what an insertion points at lives and stays as it is until its
// keep_alive is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "io/proactor.h"

namespace millrace::net {

struct FileRange {
  io::FileHandle file = io::kNoFile;
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

class Response {
 public:
  enum class Kind : std::uint8_t {
    answer,
    none,   // the protocol has no answer to this request (Produce with acks=0)
    close,  // the connection is closed once this and what was asked before is sent
  };

  Response() = default;
  explicit Response(std::vector<std::byte> frame) : bytes_(std::move(frame)) {}

  static Response none() {
    Response response;
    response.kind_ = Kind::none;
    return response;
  }
  static Response close(std::vector<std::byte> last_words = {}) {
    Response response(std::move(last_words));
    response.kind_ = Kind::close;
    return response;
  }

  // Puts a range before the byte `position` of the frame's own bytes, after what was inserted there
  // before. Requires: positions do not go down.
  void insert(std::size_t position, FileRange range, std::shared_ptr<const void> keep_alive) {
    add(position, range, range.length, std::move(keep_alive));
  }
  void insert(std::size_t position, ConstBytes memory, std::shared_ptr<const void> keep_alive) {
    add(position, memory, memory.size(), std::move(keep_alive));
  }

  Kind kind() const { return kind_; }
  // What is held in memory for this answer alone.
  std::size_t bytes_owned() const { return bytes_.capacity(); }

  // One thing to send: either memory or a file's range.
  struct Piece {
    ConstBytes memory;
    const FileRange* file = nullptr;
  };
  // How far the sending of a response is.
  struct Cursor {
    std::size_t byte = 0;
    std::size_t insertion = 0;
  };
  // The piece at the cursor, which is moved behind it; none at the end.
  std::optional<Piece> next_piece(Cursor& cursor) const {
    const bool inserted = cursor.insertion < insertions_.size();
    const std::size_t stop = inserted ? insertions_[cursor.insertion].position : bytes_.size();
    if (cursor.byte < stop) {
      const std::size_t from = std::exchange(cursor.byte, stop);
      return Piece{.memory = ConstBytes(bytes_).subspan(from, stop - from)};
    }
    if (!inserted) return std::nullopt;
    const Insertion& insertion = insertions_[cursor.insertion++];
    if (const auto* file = std::get_if<FileRange>(&insertion.what)) return Piece{.file = file};
    return Piece{.memory = std::get<ConstBytes>(insertion.what)};
  }

 private:
  struct Insertion {
    std::size_t position = 0;
    std::variant<FileRange, ConstBytes> what;
    std::shared_ptr<const void> keep_alive;
  };

  void add(std::size_t position, std::variant<FileRange, ConstBytes> what, std::uint64_t length,
           std::shared_ptr<const void> keep_alive) {
    CHECK(position <= bytes_.size(), "position {} in {} bytes", position, bytes_.size());
    CHECK(insertions_.empty() || insertions_.back().position <= position);
    if (length == 0) return;
    insertions_.push_back({position, what, std::move(keep_alive)});
  }

  Kind kind_ = Kind::answer;
  std::vector<std::byte> bytes_;
  std::vector<Insertion> insertions_;
};

}  // namespace millrace::net
