// A folder whose content is believed later: nobody else may have put it there.
#pragma once

#include <string>

namespace mlc {

// Makes it (0700) where it is not there; its parent must be. Throws std::runtime_error, which says what is
// wrong: it cannot be made, is no folder or a link, is somebody else's (but root's), or others may write in
// it, with the sticky bit or without.
void require_own_directory(const std::string& path);

// A regular file in such a folder: others must not be able to write to it either. Nothing where there is
// none.
void require_own_file(const std::string& path);

}  // namespace mlc
