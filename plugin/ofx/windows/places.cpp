#include "system/system.h"
#include "windows/handles.h"

namespace cleanplate::os {

int64_t process_id() noexcept { return ::GetCurrentProcessId(); }

bool gpu_in_sight() {
    wchar_t folder[MAX_PATH];
    const UINT length = ::GetSystemDirectoryW(folder, MAX_PATH);
    return length && length < MAX_PATH && exists(narrow(folder) + "\\nvcuda.dll");
}

bool exists(const std::string& path) { return ::GetFileAttributesW(wide(path).c_str()) != INVALID_FILE_ATTRIBUTES; }

bool has_folder(const std::string& path) { return path.find_first_of("/\\") != path.npos; }

std::string absolute(const std::string& path) {
    const std::wstring name = wide(path);
    std::wstring whole(::GetFullPathNameW(name.c_str(), 0, nullptr, nullptr), L'\0');
    const DWORD length = ::GetFullPathNameW(name.c_str(), static_cast<DWORD>(whole.size()), whole.data(), nullptr);
    if (!length || length >= whole.size()) return path;
    whole.resize(length);
    return narrow(whole);
}

std::string stamp(const std::string& path) {
    constexpr DWORD everybody = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const Descriptor file = descriptor_of(::CreateFileW(wide(path).c_str(), FILE_READ_ATTRIBUTES, everybody, nullptr,
                                                        OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    BY_HANDLE_FILE_INFORMATION about{};
    if (!file || !::GetFileInformationByHandle(handle_of(file), &about)) return "";
    const auto joined = [](DWORD high, DWORD low) { return std::to_string(uint64_t{high} << 32 | low); };
    return joined(about.nFileSizeHigh, about.nFileSizeLow) + " " +
           joined(about.ftLastWriteTime.dwHighDateTime, about.ftLastWriteTime.dwLowDateTime) + " " +
           joined(about.nFileIndexHigh, about.nFileIndexLow);
}

}  // namespace cleanplate::os
